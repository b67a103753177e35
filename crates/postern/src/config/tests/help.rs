//! Help, version, completions, and the page of settings.

use super::*;

#[test]
fn help_and_version_come_before_any_fault() {
    let version = concat!("postern ", env!("CARGO_PKG_VERSION"), "\n");
    for spelling in ["-V", "-v", "--version"] {
        assert_eq!(printed(&["--nonsense", spelling]), version);
    }
    assert_eq!(printed(&["version"]), version);
    assert_eq!(printed(&["help"]), printed(&["--nonsense", "--help"]));
}

#[test]
fn completions_know_every_setting() {
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        assert!(setting::ALL.iter().all(|setting| text.contains(setting.name)), "{shell}");
    }
    assert!(errors(&["completions", "dos"], &[], "")[0].contains("dos"));
}

#[test]
fn help_names_every_setting_with_its_default_within_the_width_of_a_terminal() {
    let text = printed(&["--help"]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in setting::ALL {
        assert!(text.contains(&format!("--{}", setting.name)), "{}", setting.name);
        if setting.operand.is_some() && !setting.default.is_empty() {
            assert!(words.contains(&format!("[default: {}]", setting.default)), "{}", setting.name);
        }
    }
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(wide, Vec::<&str>::new());
}

#[test]
fn docs_configuration_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document::page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(path).expect("the page");
    assert!(
        found == document::page(),
        "docs/configuration.md is not what UPDATE_DOCS=1 makes of the table of settings"
    );
}
