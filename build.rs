//! What `mdtool --version` says of the build: the commit, the target and the features.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MDTOOL_COMMIT");
    println!("cargo::rustc-env=MDTOOL_COMMIT={}", commit());
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=MDTOOL_TARGET={target}");
    println!("cargo::rustc-env=MDTOOL_FEATURES={}", features());
}

/// The commit: as a packager says, or as git does.
fn commit() -> String {
    if let Ok(commit) = env::var("MDTOOL_COMMIT") {
        return commit;
    }
    // With every commit in it, every commit would build everything anew: that is for what people install.
    if env::var("PROFILE").as_deref() != Ok("release") {
        return "not recorded, a debug build".to_owned();
    }
    let ours = git(&["rev-parse", "--show-toplevel"]);
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"])
        .filter(|_| ours == env::var("CARGO_MANIFEST_DIR").ok())
    else {
        return "not known, built without its repository".to_owned();
    };
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    match changed {
        Some(changed) if !changed.is_empty() => format!("{commit}, and changes"),
        _ => commit,
    }
}

/// What git prints; nothing where there is no git, or no repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The features that are switched on, but for the one that only means others.
fn features() -> String {
    let on = |name: &&str| {
        let name = name.to_uppercase();
        env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
    };
    let features: Vec<&str> = ["cli", "builder"].into_iter().filter(on).collect();
    features.join(", ")
}
