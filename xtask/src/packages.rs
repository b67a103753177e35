//! `cargo xtask packages`: what is in `deploy/`, built and tried as far as this machine can.
//!
//! The static binary runs from an empty root that cannot be written to, as a user that the system does not know. What needs a tool that is not
//! here (Docker's engine, helm, cargo-deb) is skipped and says so. Everything is written to `target/packages`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    process::{self, Server, free_port},
    workspace,
};

mod sbom;

const TARGET: &str = "x86_64-unknown-linux-musl";

/// `cargo xtask packages`.
pub(crate) fn command() -> Outcome {
    check_files()?;
    let folder = folder()?;
    let binary = static_binary()?;
    documents(&binary, &folder)?;
    sbom::write(&folder.join("postern.cdx.json"))?;
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).map_err(|error| format!("cannot empty {}: {error}", root.display()))?;
    }
    process::run(Command::new(workspace::root().join("deploy/image/root.sh")).arg(&binary).arg(&root))?;
    run_from_empty_root(&root)?;
    archive(&folder, &binary)?;
    debian_package()?;
    image(&root, &folder)?;
    println!("the packages are in {}", folder.display());
    Ok(())
}

/// What can be checked of `deploy/` without building anything: a step of the test command.
pub(crate) fn check_files() -> Outcome {
    units()?;
    alert_rules()?;
    chart()
}

fn folder() -> Outcome<PathBuf> {
    let folder = workspace::target().join("packages");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

fn skip(what: &str, missing: &str) -> Outcome {
    println!("SKIPPED: {what}: {missing}");
    Ok(())
}

/// Exposure that `systemd-analyze security` may find, of 10: what it calls OK ends at 4.
const EXPOSURE_MAX: &str = "20";

/// `systemd-analyze verify` wants the program to exist, so it gets copies that name one that does.
fn units() -> Outcome {
    if !process::exists("systemd-analyze", "--version") {
        return skip("systemd units", "there is no systemd-analyze (Debian: systemd)");
    }
    let source = workspace::root().join("deploy/systemd");
    let folder = workspace::scratch("units")?;
    for name in ["postern.service", "postern-rest.socket", "postern-registry.socket"] {
        let read = fs::read_to_string(source.join(name)).map_err(|error| format!("deploy/systemd/{name}: {error}"))?;
        let text = read.replace("/usr/bin/postern", "/bin/true").replace("Documentation=man:postern(1)\n", "");
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    let units = ["postern.service", "postern-rest.socket", "postern-registry.socket"].map(|name| folder.join(name));
    process::run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units))?;
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold", EXPOSURE_MAX]).arg(folder.join("postern.service"));
    process::output(&mut security).map(drop)
}

/// That the names in them exist is tested by `postern`; here the expressions are parsed.
fn alert_rules() -> Outcome {
    if !process::exists("promtool", "--version") {
        return skip("alert rules", "there is no promtool (a part of Prometheus)");
    }
    let rules = workspace::root().join("deploy/prometheus/postern-alerts.yml");
    process::output(Command::new("promtool").args(["check", "rules"]).arg(rules)).map(drop)
}

/// The oldest Kubernetes that the chart takes. A helm that was built by `go install` takes every cluster for 1.20 otherwise.
const KUBERNETES: &str = "1.25.0";

/// Rendered with the least values and with all of them.
fn chart() -> Outcome {
    if !process::exists("helm", "version") {
        return skip("Helm chart", "there is no helm (go install helm.sh/helm/v3/cmd/helm@latest)");
    }
    let chart = workspace::root().join("deploy/helm/postern");
    let render = |settings: &[&str]| {
        let mut helm = Command::new("helm");
        helm.args(["template", "release", "--kube-version", KUBERNETES]).arg(&chart);
        settings.iter().for_each(|setting| {
            helm.args(["--set", *setting]);
        });
        process::output(&mut helm)
    };
    let least = render(&["bootstrapServers=kafka:9092"])?;
    for expected in ["kind: Deployment", "kind: Service", "kind: PodDisruptionBudget", "path: /ready", "memory: 64Mi"] {
        if !least.contains(expected) {
            return Err(format!("the chart does not render {expected}:\n{least}"));
        }
    }
    let more = render(&[
        "bootstrapServers=kafka:9092",
        "serviceMonitor.enabled=true",
        "settings.kafka-security-protocol=SASL_SSL",
        "envFrom[0].secretRef.name=kafka-user",
    ])?;
    for expected in
        ["kind: ServiceMonitor", "name: POSTERN_KAFKA_SECURITY_PROTOCOL", "value: \"SASL_SSL\"", "name: kafka-user"]
    {
        if !more.contains(expected) {
            return Err(format!("the chart does not render {expected}:\n{more}"));
        }
    }
    if render(&[]).is_ok() {
        return Err("the chart renders without a Kafka cluster".into());
    }
    let lint = ["lint", "--kube-version", KUBERNETES, "--set", "bootstrapServers=kafka:9092"];
    process::output(Command::new("helm").args(lint).arg(&chart)).map(drop)
}

/// The binary with everything in it, musl included. Rust links its own musl with any linker; `musl-gcc` as the linker makes a program that wants
/// musl's loader, and that crashes with it.
fn static_binary() -> Outcome<PathBuf> {
    let mut build = process::cargo();
    build.args(["build", "--release", "--locked", "-p", "postern", "--target", TARGET]);
    process::run(&mut build)
        .map_err(|error| format!("{error}\nit needs `rustup target add {TARGET}` and musl-gcc (Debian: musl-tools)"))?;
    Ok(workspace::target().join(TARGET).join("release/postern"))
}

/// The man page and completions, which the binary makes itself.
fn documents(binary: &Path, folder: &Path) -> Outcome {
    let documents: [(&str, &[&str]); 4] = [
        ("postern.1", &["man"]),
        ("postern.bash", &["completions", "bash"]),
        ("_postern", &["completions", "zsh"]),
        ("postern.fish", &["completions", "fish"]),
    ];
    for (name, arguments) in documents {
        let text = process::output(Command::new(binary).args(arguments))?;
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// Starts the program with nothing but `root`, read-only but for its data, as a user without a name.
fn run_from_empty_root(root: &Path) -> Outcome {
    const CHROOT: &str = "set -e; mount --bind \"$1\" \"$1\"; mount -t tmpfs -o mode=1777 tmpfs \"$1/var/lib/postern\"; \
         mount -o remount,bind,ro \"$1\"; root=$1; shift; exec chroot --userspec=12345:12345 \"$root\" \"$@\"";
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", CHROOT, "sh"]).arg(root).args(arguments);
        command
    };
    if process::output(&mut inside(&["/usr/bin/postern", "--version"])).is_err() {
        return skip("running from an empty root", "mounts are not permitted here");
    }
    for name in ["/usr/bin/kafka-rest-start", "/usr/bin/schema-registry-start", "/etc/confluent/docker/run"] {
        process::output(&mut inside(&[name, "--help"]))?;
    }
    let (rest, registry, broker, management) = (free_port()?, free_port()?, free_port()?, free_port()?);
    let listen = |name: &str, port: u16| format!("--{name}-listen=127.0.0.1:{port}");
    let (rest_listen, management_listen) = (listen("rest", rest), listen("management", management));
    let (registry_listen, broker_listen) = (listen("registry", registry), listen("broker", broker));
    let mut start = inside(&[
        "/usr/bin/postern",
        "--data-dir=/var/lib/postern/data",
        &rest_listen,
        &registry_listen,
        &broker_listen,
        &management_listen,
    ]);
    let log = workspace::scratch("empty-root")?.join("postern.log");
    let mut server = Server::start("postern in an empty root", &mut start, &log)?;
    server.wait_for_line("Try: ", Duration::from_secs(20))?;
    process::output(Command::new("curl").args([
        "-sS",
        "--fail-with-body",
        &format!("http://127.0.0.1:{rest}/topics"),
    ]))?;
    // As HEALTHCHECK of the image does; it is ready when the broker has answered.
    let start = Instant::now();
    while let Err(error) = process::output(&mut inside(&["/usr/bin/postern", "healthcheck", &management_listen])) {
        if start.elapsed() > Duration::from_secs(20) {
            return Err(error);
        }
        sleep(Duration::from_millis(200));
    }
    server.stop(Duration::from_secs(8))
}

fn archive(folder: &Path, binary: &Path) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("postern-{version}-x86_64-linux");
    let content = folder.join(&name);
    fs::create_dir_all(&content).map_err(|error| format!("cannot make {}: {error}", content.display()))?;
    let root = workspace::root();
    let files = [binary.to_owned(), root.join("LICENSE"), root.join("README.md"), root.join("CHANGELOG.md")];
    let documents = ["postern.1", "postern.bash", "_postern", "postern.fish", "postern.cdx.json"];
    process::run(Command::new("cp").args(files).args(documents.map(|name| folder.join(name))).arg(&content))?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-czf"]);
    process::run(tar.arg(folder.join(format!("{name}.tar.gz"))).arg("-C").arg(folder).arg(&name))
}

fn debian_package() -> Outcome {
    if !process::exists("cargo-deb", "--version") {
        return skip("Debian package", "there is no cargo-deb (cargo install cargo-deb)");
    }
    let mut deb = process::cargo();
    deb.args(["deb", "-p", "postern", "--no-build", "--target", TARGET, "--output"]).arg(folder()?);
    process::run(&mut deb)
}

/// What the last stage of the Dockerfile begins with.
const LAST_STAGE: &str = "FROM scratch\n";
/// What it takes from the one before.
const FROM_BUILD: &str = "COPY --from=build /root-of-image /";

/// The last stage of `deploy/Dockerfile`, with the binary that was built and tried before: the stage before it needs images from elsewhere, and would
/// build the same once more.
fn image(root: &Path, folder: &Path) -> Outcome {
    let Some(engine) = ["docker", "podman", "buildah"].into_iter().find(|engine| process::exists(engine, "info"))
    else {
        return skip("image", "there is no engine that builds one (docker, podman, buildah)");
    };
    let source = workspace::root().join("deploy/Dockerfile");
    let text = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    let stage = text.find(LAST_STAGE).map(|start| &text[start..]).filter(|stage| stage.contains(FROM_BUILD));
    let stage =
        stage.ok_or("deploy/Dockerfile: there is no stage from scratch that takes its root from the stage before")?;
    let file = folder.join("Dockerfile");
    fs::write(&file, stage.replace(FROM_BUILD, "COPY . /")).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut build = Command::new(engine);
    build.arg("build").args((engine == "buildah").then_some("--format=docker"));
    build.args(["--build-arg", concat!("VERSION=", env!("CARGO_PKG_VERSION")), "-t", IMAGE, "-f"]);
    process::run(build.arg(&file).arg(root))?;
    let shown = match engine {
        "buildah" => in_container()?,
        _ => process::output(Command::new(engine).args(["run", "--rm", "--read-only", IMAGE, "version"]))?,
    };
    match shown.trim().ends_with(env!("CARGO_PKG_VERSION")) {
        true => Ok(()),
        false => Err(format!("the image says that it is {shown:?}")),
    }
}

const IMAGE: &str = "postern";

/// The version of the image, from a container that needs no rights beyond those of `chroot`.
fn in_container() -> Outcome<String> {
    let container = process::output(Command::new("buildah").args(["from", IMAGE]))?;
    let container = container.trim();
    let run = ["run", "--isolation", "chroot", container, "/usr/bin/postern", "version"];
    let shown = process::output(Command::new("buildah").args(run));
    process::output(Command::new("buildah").args(["rm", container]))?;
    shown
}
