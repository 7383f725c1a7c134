//! Texts are compared with files; `UPDATE_SNAPSHOTS=1 cargo test -p ntcli` writes them anew.

use std::path::Path;

/// Checks that a text is the one in `tests/cli/snapshots`.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says whether to rewrite")]
pub(crate) fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot is writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs.\n--- expected\n{expected}\n--- found\n{text}\n\
         If it is as it should be: UPDATE_SNAPSHOTS=1 cargo test -p ntcli",
        path.display()
    );
}
