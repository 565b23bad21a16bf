//! The few names that are needed of a DRBD configuration. What it does not know, it passes by.

/// A resource, as far as its section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// `/dev/drbd10`, where it says so or names a minor number.
    pub(crate) device: Option<String>,
    /// Whether it is stacked on another.
    pub(crate) stacked: bool,
}

/// Every resource in a text, in its order.
pub(crate) fn parse(text: &str) -> Vec<Resource> {
    let tokens = tokens(text);
    let mut resources: Vec<Resource> = Vec::new();
    let mut depth = 0_usize;
    let mut inside = None;
    let mut words = tokens.iter().peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "{" => depth = depth.saturating_add(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if inside == Some(depth) {
                    inside = None;
                }
            }
            "resource" if inside.is_none() => {
                if let Some(name) = words.next() {
                    inside = Some(depth);
                    resources.push(Resource {
                        name: name.clone(),
                        ..Resource::default()
                    });
                }
            }
            "stacked-on-top-of" => {
                if let Some(resource) = resources.last_mut().filter(|_| inside.is_some()) {
                    resource.stacked = true;
                }
            }
            "device" => {
                let device = device(&mut words);
                if let Some(resource) = resources.last_mut().filter(|_| inside.is_some()) {
                    resource.device = resource.device.take().or(device);
                }
            }
            _ => {}
        }
    }
    resources
}

/// `device /dev/drbd10 minor 10;`, `device minor 10;`, `device /dev/drbd10;`
fn device<'a>(words: &mut impl Iterator<Item = &'a String>) -> Option<String> {
    let mut path = None;
    let mut minor = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            ";" => break,
            "minor" => minor = words.next().map(|number| format!("/dev/drbd{number}")),
            word if word.starts_with('/') => path = Some(word.to_owned()),
            _ => {}
        }
    }
    path.or(minor)
}

/// Words, braces and semicolons; comments are passed by, and quotes taken off.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars();
    let end = |word: &mut String, tokens: &mut Vec<String>| {
        if !word.is_empty() {
            tokens.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '#' => {
                end(&mut word, &mut tokens);
                chars.by_ref().find(|c| *c == '\n');
            }
            '"' => {
                end(&mut word, &mut tokens);
                tokens.push(chars.by_ref().take_while(|c| *c != '"').collect());
            }
            '{' | '}' | ';' => {
                end(&mut word, &mut tokens);
                tokens.push(c.to_string());
            }
            c if c.is_whitespace() => end(&mut word, &mut tokens),
            c => word.push(c),
        }
    }
    end(&mut word, &mut tokens);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_everything_else_is_passed_by() {
        let text = r#"
            # resource no { device /dev/drbd99; }
            common { net { protocol C; } }
            resource "r0" {
                device minor 0;
                disk /dev/vg/lv; # the backing device
                on alice { address 10.0.0.1:7788; node-id 0; }
            }
            resource r0-U {
                net { protocol A; }
                stacked-on-top-of r0 {
                    device /dev/drbd10 minor 10;
                    address 192.168.42.1:7789;
                }
                on "bob" { device /dev/drbd11 minor 11; disk "/dev/sd b"; meta-disk internal; }
            }
            resource"#;
        let resource = |name: &str, device: &str, stacked| Resource {
            name: name.to_owned(),
            device: Some(device.to_owned()),
            stacked,
        };
        assert_eq!(
            parse(text),
            [
                resource("r0", "/dev/drbd0", false),
                resource("r0-U", "/dev/drbd10", true)
            ]
        );
        for cut in 0..text.len() {
            parse(&text[..cut]);
        }
    }
}
