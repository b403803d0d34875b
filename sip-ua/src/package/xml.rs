//! XML as the packages need it: documents read with bounds, and written with everything escaped.

use super::PackageError;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;
use roxmltree::{Document, Error, Node, ParsingOptions};

/// Elements, attributes and texts of a document at most: 500 watched extensions with a dialog each fit well.
const MAX_NODES: u32 = 50_000;
/// Elements within elements at most; the deepest body of a package has 8.
const MAX_DEPTH: usize = 64;

/// Reads a document whose root has this name, in whatever namespace: deployed servers get them wrong. DTDs, and the
/// entities that they could define, are refused.
pub(crate) fn parse<'a>(text: &'a str, root: &str) -> Result<Document<'a>, PackageError> {
    if let Some(offset) = too_deep(text) {
        return Err(at(text, offset, format!("elements are more than {MAX_DEPTH} deep")));
    }
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let position = error.pos();
        match error {
            Error::NodesLimitReached => {
                PackageError::new(1, 1, format!("more than {MAX_NODES} nodes, the most allowed"))
            }
            other => PackageError::new(position.row, position.col, format!("not well-formed XML: {other}")),
        }
    })?;
    let found = document.root_element();
    if found.tag_name().name() != root {
        let name = found.tag_name().name();
        return Err(error_at(found, &format!("expected the element <{root}>, found <{name}>")));
    }
    Ok(document)
}

/// A body as text: XML of these packages is UTF-8.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, PackageError> {
    core::str::from_utf8(body).map_err(|error| {
        PackageError::new(
            1,
            1,
            format!("expected UTF-8, found something else at byte {}", error.valid_up_to()),
        )
    })
}

/// A body as text, however it is packed: without the byte order mark, the blank lines before it and the NULs after it
/// that some servers send, and as ISO 8859-1 when it is not UTF-8, which is what BroadSoft's servers say that it is.
/// Lines of errors count from the first that is not blank.
pub(crate) fn loose_text(body: &[u8]) -> Cow<'_, str> {
    let text = core::str::from_utf8(body)
        .map_or_else(|_| body.iter().map(|&byte| char::from(byte)).collect::<String>().into(), Cow::Borrowed);
    let odd = |c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{feff}');
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(odd)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(odd).into()),
    }
}

/// The name of a document's root, as far as brackets tell; what is wrong with the document [`parse`] says.
pub(crate) fn root_name(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.split_once('<')?.1;
        rest = match rest.get(..1)? {
            "?" => rest.split_once("?>")?.1,
            "!" if rest.starts_with("!--") => rest.split_once("-->")?.1,
            "!" => return None,
            _ => break,
        };
    }
    let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))?;
    let name = rest.get(..end)?;
    Some(name.rsplit(':').next().unwrap_or(name))
}

/// An error about a node, at its place.
pub(crate) fn error_at(node: Node<'_, '_>, what: &str) -> PackageError {
    let position = node.document().text_pos_at(node.range().start);
    PackageError::new(position.row, position.col, what)
}

/// The first child element of that name.
pub(crate) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

/// The child elements of that name.
pub(crate) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The trimmed text of the first child element of that name; `None` when it is missing or empty.
pub(crate) fn child_text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name).and_then(|child| child.text()).map(str::trim).filter(|text| !text.is_empty())
}

/// The trimmed value of an attribute that must be there.
pub(crate) fn required<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, PackageError> {
    node.attribute(name)
        .map(str::trim)
        .ok_or_else(|| error_at(node, &format!("<{}> needs the attribute {name}", node.tag_name().name())))
}

/// A true or false, as XML Schema writes it; `None` for anything else.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Where elements become too deep, by their tags alone: what parses or walks them may use the stack. What the parser
/// is going to refuse is not looked into.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        at += text.get(at..)?.find('<')?;
        let rest = text.get(at..)?;
        let after = |skipped: usize, end: &str| Some(skipped + rest.get(skipped..)?.find(end)? + end.len());
        at += if rest.starts_with("<!--") {
            after(4, "-->")?
        } else if rest.starts_with("<![CDATA[") {
            after(9, "]]>")?
        } else if rest.starts_with("<?") {
            after(2, "?>")?
        } else if rest.starts_with("</") {
            depth = depth.saturating_sub(1);
            2
        } else {
            depth += 1;
            if depth > MAX_DEPTH {
                return Some(at);
            }
            let end = tag_end(rest)?;
            if rest.get(..end).is_some_and(|tag| tag.ends_with('/')) {
                depth -= 1;
            }
            end
        };
    }
}

/// Where the `>` of a tag is, which a value in quotes may have too.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return true,
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        false
    })
}

fn at(text: &str, offset: usize, what: String) -> PackageError {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    PackageError::new(line.try_into().unwrap_or(u32::MAX), column.try_into().unwrap_or(u32::MAX), what)
}

/// Writes a document element by element; all text is escaped.
pub(crate) struct Writer {
    text: String,
    open: alloc::vec::Vec<&'static str>,
    /// The start tag of the innermost element still lacks its `>`.
    in_tag: bool,
}

impl Writer {
    /// A document that begins with the declaration.
    pub(crate) fn new() -> Self {
        let text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
        Self { text, open: alloc::vec::Vec::new(), in_tag: false }
    }

    /// Begins an element.
    pub(crate) fn open(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.text.push('<');
        self.text.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// An attribute of the element that was begun last, before anything is in it.
    pub(crate) fn attr(&mut self, name: &str, value: impl core::fmt::Display) -> &mut Self {
        debug_assert!(self.in_tag, "attributes come before content");
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        let _ = write!(Escape(&mut self.text), "{value}");
        self.text.push('"');
        self
    }

    /// An attribute, if there is a value.
    pub(crate) fn maybe_attr(&mut self, name: &str, value: Option<impl core::fmt::Display>) -> &mut Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Text within the innermost element.
    pub(crate) fn text(&mut self, value: impl core::fmt::Display) -> &mut Self {
        self.close_tag();
        let _ = write!(Escape(&mut self.text), "{value}");
        self
    }

    /// A whole element with text only.
    pub(crate) fn leaf(&mut self, name: &'static str, value: impl core::fmt::Display) -> &mut Self {
        self.open(name).text(value).close()
    }

    /// Ends the innermost element.
    pub(crate) fn close(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else { return self };
        if core::mem::take(&mut self.in_tag) {
            self.text.push_str("/>");
        } else {
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push('>');
        }
        self
    }

    /// The document; elements that are still open are ended.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text.push_str("\r\n");
        self.text
    }

    fn close_tag(&mut self) {
        if core::mem::take(&mut self.in_tag) {
            self.text.push('>');
        }
    }
}

/// Escapes what would be markup, and drops what XML 1.0 cannot carry at all.
struct Escape<'a>(&'a mut String);

impl core::fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\n' | '\r' | '\t' => write!(self.0, "&#{};", u32::from(character))?,
                control if control < ' ' => {}
                '\u{fffe}' | '\u{ffff}' => {}
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_whatever_the_text_is() {
        let odd = "<a & \"b\">\r\n\u{1}\u{ffff}\tz";
        let mut writer = Writer::new();
        writer.open("root").attr("odd", odd).leaf("child", odd).open("empty");
        let text = writer.finish();
        let document = parse(&text, "root").unwrap();
        let kept = "<a & \"b\">\r\n\tz";
        assert_eq!(document.root_element().attribute("odd"), Some(kept));
        assert_eq!(child(document.root_element(), "child").unwrap().text(), Some(kept));
        assert!(child(document.root_element(), "empty").is_some());
    }

    #[test]
    fn siblings_are_not_deep() {
        let children = "<b c='>'/><b c=\"/\"></b><!-- <b> --><![CDATA[<b>]]>".repeat(1_000);
        assert!(parse(&format!("<?xml version='1.0'?><a>{children}</a>"), "a").is_ok());
    }

    #[test]
    fn a_body_is_read_however_it_is_packed() {
        assert_eq!(loose_text("\u{feff}\r\n<a>ü</a>\n\0".as_bytes()), "<a>ü</a>");
        assert_eq!(loose_text(b"<a>\xfc</a>"), "<a>ü</a>");
        assert_eq!(root_name("<?xml version=\"1.0\"?><!-- <b> -->\n<p:a x='1'/>"), Some("a"));
        assert_eq!(root_name("<a>"), Some("a"));
        for none in ["", "<", "<!DOCTYPE a>", "text", "<?xml", "<!-- "] {
            assert_eq!(root_name(none), None, "{none}");
        }
    }

    #[test]
    fn bombs_are_refused_with_their_place() {
        let deep = "<a>".repeat(100_000);
        assert!(parse(&deep, "a").unwrap_err().what.contains("64 deep"));
        for disguised in [
            "<a>/>",
            "<a><![CDATA[</a>]]>",
            "<a><!--</a>-->",
            "<a><?x </a>?>",
            "<a b='/>'>",
            "<a b=\"</a>\">",
        ] {
            let text = format!("{}{}", disguised.repeat(65), "</a>".repeat(65));
            assert!(parse(&text, "a").unwrap_err().what.contains("64 deep"), "{disguised}");
            let text = format!("{}{}", disguised.repeat(64), "</a>".repeat(64));
            assert!(!parse(&text, "a").is_err_and(|error| error.what.contains("deep")), "{disguised}");
        }
        let wide = format!("<a>{}</a>", "<b/>".repeat(60_000));
        assert!(parse(&wide, "a").unwrap_err().what.contains("50000 nodes"));
        let entity = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
        assert!(parse(entity, "a").is_err());
        let error = parse("<a>\n  <b></c></a>", "a").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert!(parse("<b/>", "a").unwrap_err().what.contains("expected the element <a>"));
    }
}
