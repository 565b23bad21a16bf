use super::*;

/// All tokens of a text, the end left out.
fn tokens(text: &[u8]) -> Vec<(Kind, String)> {
    let mut lexer = Lexer::new(Text::new(text));
    let mut tokens = Vec::new();
    loop {
        let token = lexer.peek().unwrap();
        if token.kind == Kind::End {
            return tokens;
        }
        tokens.push((token.kind, printable(lexer.bytes(token))));
        lexer.take(token);
    }
}

fn kinds(text: &str) -> Vec<Kind> {
    tokens(text.as_bytes())
        .into_iter()
        .map(|(kind, _)| kind)
        .collect()
}

#[test]
fn white_space_and_comments_may_stand_anywhere() {
    let expected = [Kind::Decimal(5), Kind::Sign(b';'), Kind::Word];
    for text in [
        "5;a",
        " \t\r\n5 ; \r\n a\n",
        "#x\n5#;\n;##\r\na#",
        "5\r;\ra",
        "#\0\x0c\"{\n5;a # no newline",
    ] {
        assert_eq!(kinds(text), expected, "{text:?}");
    }
    assert_eq!(kinds(""), []);
    assert_eq!(kinds("# only this"), []);
    assert_eq!(
        tokens(b"# \xFF\xFE\n;"),
        [(Kind::Sign(b';'), ";".to_owned())]
    );
}

#[test]
fn other_control_characters_are_no_white_space() {
    for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_graphic()) {
        let found = tokens(&[byte]);
        if b" \t\r\n".contains(&byte) {
            assert_eq!(found, [], "{byte}");
        } else {
            assert_eq!(found[0].0, Kind::Stray(byte), "{byte}");
        }
    }
}

#[test]
fn a_decimal_number_has_at_most_19_digits() {
    let number = |text: &str| match kinds(text)[..] {
        [Kind::Decimal(value)] => Some(value),
        [Kind::Word] => None,
        ref other => panic!("{text}: {other:?}"),
    };
    assert_eq!(number("0"), Some(0));
    assert_eq!(number("007"), Some(7));
    assert_eq!(number("-0"), Some(0));
    assert_eq!(number("-12"), Some(-12));
    assert_eq!(
        number("9999999999999999999"),
        Some(9_999_999_999_999_999_999)
    );
    assert_eq!(
        number("-9999999999999999999"),
        Some(-9_999_999_999_999_999_999)
    );
    for none in [
        "00000000000000000001",
        "-00000000000000000001",
        "-",
        "--5",
        "5-",
        "5a",
        "1_0",
    ] {
        assert_eq!(number(none), None, "{none}");
    }
}

#[test]
fn a_hex_number_has_8_or_16_digits_of_either_case() {
    assert_eq!(kinds("0x0123aBcD"), [Kind::Hex32(0x0123_ABCD)]);
    assert_eq!(
        kinds("0x0123456789aBcDeF"),
        [Kind::Hex64([0x0123_4567, 0x89AB_CDEF])]
    );
    for none in [
        "0x",
        "0x1",
        "0x1234567",
        "0x123456789",
        "0x012345678",
        "0x0123456789ABCDE",
        "0x0123456789ABCDEF0",
        "0x0123456789ABCDEG",
        "0x0123456789ABCDE-",
        "0X01234567",
        "0x0123456G",
        "-0x01234567",
    ] {
        assert_eq!(kinds(none), [Kind::Word], "{none}");
    }
    assert_eq!(
        kinds("0x01234567;0x0123456789ABCDEF;"),
        [
            Kind::Hex32(0x0123_4567),
            Kind::Sign(b';'),
            Kind::Hex64([0x0123_4567, 0x89AB_CDEF]),
            Kind::Sign(b';'),
        ]
    );
}

#[test]
fn a_string_has_1_to_20_characters_on_one_line() {
    for good in ["a", "#{;", "01234567890123456789", "\r", "\0"] {
        assert_eq!(kinds(&format!("\"{good}\"")), [Kind::Quoted], "{good:?}");
    }
    for bad in ["\"\"", "\"012345678901234567890\"", "\"a\nb\"", "\"a"] {
        assert_eq!(kinds(bad)[0], Kind::BadString, "{bad:?}");
    }
}

#[test]
fn a_word_ends_where_a_sign_or_a_blank_begins() {
    assert_eq!(
        tokens(b"peer[3]{bm-byte_9 x.")
            .into_iter()
            .map(|(_, text)| text)
            .collect::<Vec<_>>(),
        ["peer", "[", "3", "]", "{", "bm-byte_9", "x", "."]
    );
}

#[test]
fn an_endless_word_is_cut() {
    let mut lexer = Lexer::new(Text::new(std::io::Read::take(
        std::io::repeat(b'a'),
        1 << 30,
    )));
    let token = lexer.peek().unwrap();
    assert_eq!((token.kind, token.len), (Kind::Word, WORD_MAX));
    let error = lexer.unexpected(token, Wanted::Hex64);
    let Error::Syntax(syntax) = error else {
        panic!("{error}");
    };
    assert_eq!(syntax.found, Found::Token("a".repeat(WORD_MAX)));
    assert_eq!((syntax.line, syntax.column, syntax.mark), (1, 1, 0));
}

#[test]
fn a_comment_of_a_gigabyte_is_skipped() {
    let comment = std::io::Read::take(std::io::repeat(b'#'), 1 << 30);
    let text = std::io::Read::chain(comment, &b"\n\n ;"[..]);
    let mut lexer = Lexer::new(Text::new(text));
    let token = lexer.peek().unwrap();
    assert_eq!(token.kind, Kind::Sign(b';'));
    assert_eq!(token.at, TextPos::new((1 << 30) + 3));
    assert_eq!(lexer.line_of(token), 3);
}
