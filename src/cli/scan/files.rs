//! Which files the arguments mean.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What folders are searched for. Files that are named themselves are always looked at.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "heic", "heif"];

/// A file to look at, or an argument that led to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FoundFiles {
    /// A file.
    File(PathBuf),
    /// Nothing, and why.
    Nothing {
        /// The argument, or the folder below it.
        path: PathBuf,
        /// Why.
        because: String,
    },
}

/// The files that `arguments` mean, in their order, those of a folder by name; each once.
pub(super) fn collect(arguments: &[PathBuf]) -> Vec<FoundFiles> {
    let mut seen = HashSet::new();
    let found = arguments.iter().flat_map(|argument| expand(argument));
    found.filter(|found| !matches!(found, FoundFiles::File(path) if !seen.insert(path.clone()))).collect()
}

fn expand(argument: &Path) -> Vec<FoundFiles> {
    if argument.is_dir() {
        return folder(argument);
    }
    if argument.exists() {
        return vec![FoundFiles::File(argument.to_owned())];
    }
    let nothing = |because: String| vec![FoundFiles::Nothing { path: argument.to_owned(), because }];
    let Some(pattern) = argument.to_str() else { return nothing("there is no such file".into()) };
    match glob::glob(pattern) {
        Err(error) => nothing(format!("there is no such file, and as a pattern it is wrong: {error}")),
        Ok(paths) => {
            let matches: Vec<FoundFiles> =
                paths.filter_map(Result::ok).flat_map(|path| matched(&path)).collect();
            if matches.is_empty() { nothing("there is no such file".into()) } else { matches }
        }
    }
}

fn matched(path: &Path) -> Vec<FoundFiles> {
    if path.is_dir() { Vec::new() } else { vec![FoundFiles::File(path.to_owned())] }
}

fn folder(folder: &Path) -> Vec<FoundFiles> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() || !is_photo(entry.path()) => {}
            Ok(entry) => found.push(FoundFiles::File(entry.into_path())),
            Err(error) => found.push(FoundFiles::Nothing {
                path: error.path().unwrap_or(folder).to_owned(),
                because: error.to_string(),
            }),
        }
    }
    if found.is_empty() {
        let because = format!("the folder holds no photos ({})", EXTENSIONS.join(", "));
        found.push(FoundFiles::Nothing { path: folder.to_owned(), because });
    }
    found
}

fn is_photo(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("a/b")).expect("made");
        for name in ["a/2.JPG", "a/1.jpeg", "a/b/3.heic", "a/notes.txt", "plain"] {
            std::fs::write(at(name), b"x").expect("written");
        }
        std::fs::create_dir(at("empty")).expect("made");
        let file = |name: &str| FoundFiles::File(at(name));
        assert_eq!(collect(&[at("a")]), [file("a/1.jpeg"), file("a/2.JPG"), file("a/b/3.heic")]);
        assert_eq!(collect(&[at("a/**/*.heic"), at("a/b/3.heic")]), [file("a/b/3.heic")]);
        assert_eq!(collect(&[at("plain"), at("plain")]), [file("plain")]);
        for (argument, words) in [("empty", "no photos"), ("gone.jpg", "no such file"), ("a/***", "pattern")]
        {
            let found = collect(&[at(argument)]);
            assert!(
                matches!(found.as_slice(), [FoundFiles::Nothing { because, .. }] if because.contains(words)),
                "{found:?}"
            );
        }
    }
}
