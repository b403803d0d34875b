//! The phone's own file: one `path = value` a line.
//!
//! Lines that are empty or begin with `#` do not count. A value ends with its line; blanks around it do not
//! belong to it, unless it stands in quotation marks, where `\"` and `\\` stand for the character itself.

use crate::settings::{SettingError, Settings};
use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// How many problems are kept of one file.
pub const MAX_PROBLEMS: usize = 100;

/// What a file held: the settings of its good lines, and the lines that were not good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What was not taken, in the order of the lines, [`MAX_PROBLEMS`] at most.
    pub problems: Vec<Problem>,
}

/// A line that was not taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {kind}")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no `=`. The line itself is not repeated: it may hold a secret.
    #[error("expected `path = value`")]
    NoEquals,
    /// A value begins with a quotation mark and does not end with one.
    #[error(
        "{path}: expected a closing quotation mark at the end of the line, and only \\\" and \\\\ before it"
    )]
    Quotes {
        /// The setting.
        path: String,
    },
    /// The setting, or its value, is not one of the schema.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The setting stood further up, too; the later line holds.
    #[error("{path}: already set in line {first}; this line holds")]
    Repeated {
        /// The setting.
        path: String,
        /// Where it was set before.
        first: usize,
    },
}

/// A file that could not be read or written at all.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub kind: FileErrorKind,
}

/// Why a file could not be read or written at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is larger than [`MAX_FILE`].
    #[error("expected at most {MAX_FILE} bytes")]
    TooLarge,
    /// The file is not UTF-8.
    #[error("byte {at} is not UTF-8 text")]
    NotText {
        /// The first wrong byte, counted from 0.
        at: usize,
    },
}

/// Reads a file. Its bad lines are problems, not errors: the phone comes up with what is good.
///
/// # Errors
/// The file cannot be read, is too large, or is not text.
pub fn read(path: &Path) -> Result<Loaded, FileError> {
    let fail = |kind| FileError { path: path.to_owned(), kind };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| fail(error.into()))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| fail(error.into()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(FileErrorKind::TooLarge));
    }
    let text =
        str::from_utf8(&bytes).map_err(|error| fail(FileErrorKind::NotText { at: error.valid_up_to() }))?;
    Ok(parse(&path.display().to_string(), text))
}

/// Reads the text of a file named `file`.
///
/// ```
/// use sidetone_provisioning::file::parse;
/// let loaded = parse("phone.conf", "# mine\nsip.port = 5070\naccount.1.expires = soon\n");
/// assert_eq!(loaded.settings.phone().sip_port, 5070);
/// assert_eq!(
///     loaded.problems[0].to_string(),
///     "phone.conf:3: account.1.expires: \"soon\" is not allowed: expected 1 to 4294967295 seconds",
/// );
/// ```
#[must_use]
pub fn parse(file: &str, text: &str) -> Loaded {
    let mut loaded = Loaded::default();
    let mut seen = BTreeMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Err(kind) = take_line(&mut loaded.settings, &mut seen, line, content)
            && loaded.problems.len() < MAX_PROBLEMS
        {
            loaded.problems.push(Problem { file: file.to_owned(), line, kind });
        }
    }
    loaded
}

/// The file that reads back as `settings`: what was set, the phone first and then account by account,
/// secrets in the clear.
#[must_use]
pub fn emit(settings: &Settings) -> String {
    let mut text = String::new();
    for (path, value) in settings.entries() {
        let value = if needs_quotes(&value) { quote(&value) } else { value };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{path} = {value}");
    }
    text
}

/// Replaces the file by the settings, or leaves it as it was: writes a new file beside it (`name.new`),
/// brings it to the disk, and renames it. On Unix only the owner can read it, as it holds passwords.
///
/// # Errors
/// The system refused a step; the old file is whole then.
pub fn store(path: &Path, settings: &Settings) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let replace = || -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(emit(settings).as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, path)?;
        sync_folder(path)
    };
    replace().map_err(|error| FileError { path: path.to_owned(), kind: error.into() })
}

/// Brings the rename itself to the disk.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn take_line(
    settings: &mut Settings,
    seen: &mut BTreeMap<String, usize>,
    line: usize,
    content: &str,
) -> Result<(), ProblemKind> {
    let (path, value) = content.split_once('=').ok_or(ProblemKind::NoEquals)?;
    let (path, value) = (path.trim_end(), value.trim_start());
    let value = unquote(value).ok_or_else(|| ProblemKind::Quotes { path: path.to_owned() })?;
    settings.set_as(crate::Access::Administrator, path, &value)?;
    match seen.insert(path.to_owned(), line) {
        Some(first) => Err(ProblemKind::Repeated { path: path.to_owned(), first }),
        None => Ok(()),
    }
}

fn needs_quotes(value: &str) -> bool {
    value.starts_with('"') || value.trim() != value
}

fn quote(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The value between its quotation marks, or as it is when it does not begin with one.
fn unquote(value: &str) -> Option<String> {
    let Some(inside) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut out = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(out),
            '\\' => out.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problems(text: &str) -> Vec<String> {
        parse("f", text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_lines_are_taken_and_bad_ones_reported() {
        let loaded = parse(
            "f",
            "\u{feff}# comment = no\r\n\r\n  account.2.aor=sip:a@b;x=y  \r\naccount.2.password = \" a \\\"b\\\\ \"\nnonsense",
        );
        let account = loaded.settings.account(2).unwrap();
        assert_eq!(account.aor, "sip:a@b;x=y");
        assert_eq!(account.password.expose(), " a \"b\\ ");
        assert_eq!(loaded.problems.len(), 1);
        assert_eq!(loaded.problems[0].to_string(), "f:5: expected `path = value`");
    }

    #[test]
    fn problems_say_file_line_and_key() {
        assert_eq!(
            problems("sip.port = 1\nsip.prot = 2\nsip.port = 3\nphone.user_agent = \"x"),
            [
                "f:2: sip.prot: no such setting",
                "f:3: sip.port: already set in line 1; this line holds",
                "f:4: phone.user_agent: expected a closing quotation mark at the end of the line, and only \\\" and \\\\ before it",
            ]
        );
        assert_eq!(parse("f", "sip.port = 1\nsip.port = 3").settings.phone().sip_port, 3);
        assert_eq!(problems(&"?\n".repeat(1000)).len(), MAX_PROBLEMS);
    }

    #[test]
    fn storing_replaces_the_whole_file_and_leaves_nothing_else() {
        let folder = std::env::temp_dir().join(format!("sidetone-provisioning-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("phone.conf");
        let mut settings = Settings::new();
        settings.set("account.1.password", "sesame").unwrap();
        fs::write(&path, "sip.port = 1\n".repeat(100)).unwrap();
        fs::write(folder.join("phone.conf.new"), "left by a crash").unwrap();
        store(&path, &settings).unwrap();
        let loaded = read(&path).unwrap();
        assert_eq!((loaded.settings, loaded.problems), (settings, vec![]));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

        fs::write(&path, [b'a', 0xff]).unwrap();
        assert!(read(&path).unwrap_err().to_string().ends_with("phone.conf: byte 1 is not UTF-8 text"));
        fs::write(&path, vec![b'#'; MAX_FILE as usize + 1]).unwrap();
        assert!(matches!(read(&path).unwrap_err().kind, FileErrorKind::TooLarge));
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(read(&path).unwrap_err().kind, FileErrorKind::Io(_)));
    }

    proptest! {
        #[test]
        fn any_text_value_survives_the_file(name in "\\PC{0,64}", password in "[ \"\\\\#=a]{0,128}") {
            let mut settings = Settings::new();
            let admin = crate::Access::Administrator;
            prop_assume!(settings.set_as(admin, "account.8.display_name", &name).is_ok());
            settings.set_as(admin, "account.8.password", &password).unwrap();
            let loaded = parse("f", &emit(&settings));
            prop_assert_eq!(loaded.problems, vec![]);
            prop_assert_eq!(loaded.settings, settings);
        }

        #[test]
        fn no_file_panics(text in "([a-z.0-9]{0,12}|account\\.[0-9]{1,3}\\.aor|[=\"\\\\# \n]|\\PC){0,40}") {
            let loaded = parse("f", &text);
            let again = parse("f", &emit(&loaded.settings));
            prop_assert_eq!(again.settings, loaded.settings);
        }
    }
}
