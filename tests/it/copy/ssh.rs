//! Through ssh, to a sshd of our own on loopback.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use mdtool::builder::Level;

use super::{content, stack, text};
use crate::adopt::MIB;
use crate::support::{require_root, require_tool, scratch, tool};

/// A sshd on loopback that lets one key in, until it is dropped.
struct Sshd {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Sshd {
    /// `None`, and said aloud, where it cannot run and need not.
    fn start() -> Option<Self> {
        // It must be called by its whole name, and it wants to be root.
        let sshd = "/usr/sbin/sshd";
        if !Path::new(sshd).exists() && !require_tool("sshd") {
            return None;
        }
        if !require_tool("ssh") || !require_root() {
            return None;
        }
        let dir = scratch();
        let file = |name: &str| text(&dir.path().join(name)).to_owned();
        for name in ["host", "user"] {
            tool(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &file(name)],
            );
        }
        // Where its children go before they know whose they are; a system that starts it as a service makes it.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            file("host"),
            file("user.pub"),
        );
        crate::import::save(&dir.path().join("config"), config.as_bytes());
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f", &file("config")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let sshd = Self { child, dir, port };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(sshd);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("sshd does not answer");
    }

    /// How a shell reaches it.
    fn ssh(&self) -> String {
        format!(
            "ssh -q -p {} -i {} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null 127.0.0.1",
            self.port,
            text(&self.dir.path().join("user"))
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bash(script: &str) -> (i32, String) {
    let output = Command::new("bash")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

#[test]
fn a_copy_through_ssh_survives_the_death_of_its_sender() {
    let Some(sshd) = Sshd::start() else { return };
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let (copy, other) = (stack.file("copy"), stack.file("other"));
    let (program, ssh, source) = (env!("CARGO_BIN_EXE_mdtool"), sshd.ssh(), stack.source());
    let send = format!("{program} copy {source} - --stacked");
    let (status, said) = bash(&format!("{send} | {ssh} {program} copy - {}", text(&copy)));
    assert_eq!(status, 0, "{said}");
    assert!(content(&copy) == stack.expected());

    let receive = format!("{ssh} {program} copy - {}", text(&other));
    let state = format!("{}.mdtool-copy", text(&other));
    // Not before something arrived, however slow this machine is.
    let some = format!("for n in {{1..600}}; do [ -e {state} ] && break; sleep 0.1; done");
    let killed = format!(
        "{{ {send} --rate 256KiB & {some}; sleep 0.3; kill -9 $!; }} | {receive} --sync-every 64KiB"
    );
    let (status, said) = bash(&killed);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("the stream ends here"), "{said}");
    // A state that is not there is none: all is sent.
    let missing = format!("{send} --resume --state <({ssh} cat {state}.no) > /dev/null");
    let (status, said) = bash(&missing);
    assert_eq!(status, 0, "{said}");
    // The state is fetched, and only what is missing is sent.
    let resumed = format!(
        "set -o pipefail; {send} --resume --state <({ssh} cat {state}) | {receive} --resume"
    );
    let (status, said) = bash(&resumed);
    assert_eq!(status, 0, "{said}");
    assert!(content(&other) == stack.expected());
    assert!(!Path::new(&state).exists());
}
