//! The text that describes a volume group: sections of keys with numbers, strings and lists.

/// Sections in sections, and lists in lists.
const MOST_DEPTH: u32 = 16;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::survey::filesystems) enum Value<'t> {
    Number(u64),
    Text(&'t str),
    List(Vec<Self>),
    Section(Section<'t>),
}

/// Keys with their values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::survey::filesystems) struct Section<'t>(
    pub(in crate::survey::filesystems) Vec<(&'t str, Value<'t>)>,
);

impl<'t> Section<'t> {
    pub(super) fn get(&self, key: &str) -> Option<&Value<'t>> {
        self.0
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    pub(super) fn section(&self, key: &str) -> Option<&Self> {
        match self.get(key)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    /// The sections in it, with their names.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&'t str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((*name, section)),
            _ => None,
        })
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'t str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list, or a single value as a list of one.
    pub(super) fn list(&self, key: &str) -> &[Value<'t>] {
        match self.get(key) {
            Some(Value::List(list)) => list,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        }
    }
}

/// The whole text; `None` where it does not parse.
pub(in crate::survey::filesystems) fn parse(text: &str) -> Option<Section<'_>> {
    let mut parser = Parser { rest: text };
    let section = parser.section(0)?;
    parser.skip();
    // The area's text ends with a zero byte.
    parser
        .rest
        .trim_start_matches('\0')
        .trim()
        .is_empty()
        .then_some(section)
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// Passes over blanks and comments.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A key: what has no meaning of its own.
    fn key(&mut self) -> Option<&'t str> {
        self.skip();
        let own = |sign: char| sign.is_whitespace() || "={}[],\"#\0".contains(sign);
        let end = self.rest.find(own).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!key.is_empty()).then_some(key)
    }

    /// Keys up to the end or to a brace that closes.
    fn section(&mut self, depth: u32) -> Option<Section<'t>> {
        let mut keys = Vec::new();
        if depth > MOST_DEPTH {
            return None;
        }
        loop {
            self.skip();
            if self.rest.is_empty() || self.rest.starts_with(['}', '\0']) {
                return Some(Section(keys));
            }
            let key = self.key()?;
            let value = if self.take('{') {
                let section = self.section(depth.saturating_add(1))?;
                self.take('}').then_some(Value::Section(section))?
            } else if self.take('=') {
                self.value(depth)?
            } else {
                return None;
            };
            keys.push((key, value));
        }
    }

    fn value(&mut self, depth: u32) -> Option<Value<'t>> {
        if depth > MOST_DEPTH {
            return None;
        }
        if self.take('"') {
            return self.text().map(Value::Text);
        }
        if !self.take('[') {
            return self.key()?.parse().ok().map(Value::Number);
        }
        let mut list = Vec::new();
        loop {
            if self.take(']') {
                return Some(Value::List(list));
            }
            list.push(self.value(depth.saturating_add(1))?);
            // The last comma may be there or not.
            if !self.take(',') && !self.rest.starts_with(']') {
                return None;
            }
        }
    }

    /// Up to the quotation mark that closes; escapes are left as they are, for names have none.
    fn text(&mut self) -> Option<&'t str> {
        let mut escaped = false;
        let end = self.rest.find(|sign| {
            let closes = sign == '"' && !escaped;
            escaped = sign == '\\' && !escaped;
            closes
        })?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "vg {\n  id = \"a\\\"b\" # comment } {\n  n=3\n  list = [\n\"pv0\", 5,\n]\n  sub {\n    empty = []\n  }\n}\nversion = 1\n\0";

    #[test]
    fn a_group_s_text_is_read() {
        let text = parse(EXAMPLE).unwrap();
        let group = text.section("vg").unwrap();
        assert_eq!(group.text("id"), Some("a\\\"b"));
        assert_eq!(group.number("n"), Some(3));
        assert_eq!(group.list("list"), [Value::Text("pv0"), Value::Number(5)]);
        assert_eq!(group.section("sub").unwrap().list("empty"), []);
        assert_eq!(text.number("version"), Some(1));
    }

    #[test]
    fn nonsense_is_none_and_depth_is_bounded() {
        for bad in [
            "a",
            "a =",
            "a = x",
            "a {",
            "}",
            "a = [1",
            "a = \"x",
            "a = [1 2]",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&"a {".repeat(100_000)), None);
        assert_eq!(parse(&format!("a = {}", "[".repeat(100_000))), None);
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(cut in 0..EXAMPLE.len(), extra in "[a={}\\[\\],\"#\n0]{0,20}") {
            if EXAMPLE.is_char_boundary(cut) {
                let _ = parse(&format!("{}{extra}{}", &EXAMPLE[..cut], &EXAMPLE[cut..]));
            }
        }
    }
}
