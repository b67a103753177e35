//! `cargo xtask pipeline`: a record's way from HTTP through Kafka and Telegraf into InfluxDB, with the real programs.
//!
//! Telegraf gets the configuration that `docs/telegraf.md` shows, with the addresses of this run. Both programs are built from their Go modules and
//! kept in the cache of downloads.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    cluster::Postern,
    process::{self, Server, free_port},
    workspace::{self, Profile},
};

const TELEGRAF: &str = "github.com/influxdata/telegraf/cmd/telegraf@v1.37.2";
/// The plug-ins that are needed: all of them take long to build.
const TELEGRAF_TAGS: &str = "custom,inputs.kafka_consumer,parsers.avro,outputs.influxdb,serializers.influx";
const INFLUXD: &str = "github.com/influxdata/influxdb/cmd/influxd@v1.8.3";

/// How long a record may take from its acknowledgement to the query.
const ARRIVAL: Duration = Duration::from_secs(60);

/// One topic: what is written to it, and what a query reads.
struct Case {
    topic: &'static str,
    schema: &'static str,
    records: &'static str,
    query: &'static str,
    /// Rows in the order of `query`, as InfluxDB writes them in CSV; times in nanoseconds.
    rows: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        topic: "lsst.example.skyFluxMetric",
        schema: r#"{"type":"record","name":"skyFluxMetric","namespace":"lsst.example","fields":[
            {"name":"timestamp","type":"long"},{"name":"band","type":"string"},
            {"name":"instrument","type":"string","default":"LSSTCam"},{"name":"meanSky","type":"float"},
            {"name":"stdevSky","type":["null","double"]},{"name":"samples","type":{"type":"array","items":"int"}}]}"#,
        records: r#"{"value":{"timestamp":1681248783000250,"band":"y","instrument":"LSSTCam-imSim","meanSky":-213.75,"stdevSky":{"double":2328.5},"samples":[7,8]}},
            {"value":{"timestamp":1681248784000000,"band":"z","instrument":"LSSTCam-imSim","meanSky":0.5,"stdevSky":null,"samples":[9,10]}}"#,
        query: r#"SELECT band, instrument, meanSky, stdevSky, samples_0, samples_1 FROM "lsst.example.skyFluxMetric""#,
        rows: "1681248783000250000,y,LSSTCam-imSim,-213.75,2328.5,7,8\n1681248784000000000,z,LSSTCam-imSim,0.5,,9,10\n",
    },
    Case {
        topic: "lsst.example.pointing",
        schema: r#"{"type":"record","name":"pointing","namespace":"lsst.example","fields":[
            {"name":"time","type":"double"},{"name":"instrument","type":"string"},
            {"name":"position","type":{"type":"record","name":"position","fields":[
                {"name":"ra","type":"double"},{"name":"dec","type":"double"}]}},
            {"name":"offset","type":["null","double"]}]}"#,
        records: r#"{"value":{"time":1681248783.25,"instrument":"LATISS","position":{"ra":150.5,"dec":-30.25},"offset":{"double":0.125}}}"#,
        query: r#"SELECT instrument, position_ra, position_dec, offset_double FROM "lsst.example.pointing""#,
        rows: "1681248783250000000,LATISS,150.5,-30.25,0.125\n",
    },
];

/// `cargo xtask pipeline`.
pub(crate) fn command() -> Outcome {
    if !process::exists("go", "version") {
        return Err("there is no `go`, which builds Telegraf and InfluxDB (Debian: golang)".into());
    }
    process::build(Profile::Release)?;
    let (telegraf, influxd) = (built("telegraf", TELEGRAF, TELEGRAF_TAGS)?, built("influxd", INFLUXD, "")?);
    let postern = Postern::embedded(Profile::Release, "pipeline-postern", &["--broker-auto-create-topics"])?;
    let folder = workspace::scratch("pipeline")?;
    let (database, influx) = start_influx(&influxd, &folder)?;
    for case in &CASES {
        produce(&postern, case)?;
    }
    let telegraf = start_telegraf(&telegraf, &folder, &postern, &influx)?;
    for case in &CASES {
        let start = Instant::now();
        while let Err(found) = compare(case, &influx) {
            if start.elapsed() > ARRIVAL {
                let logs = format!("Telegraf:\n{}\nInfluxDB:\n{}", telegraf.log_tail(), database.log_tail());
                return Err(format!("{}: expected\n{}found\n{found}\n{logs}", case.topic, case.rows));
            }
            sleep(Duration::from_millis(200));
        }
        println!("{}: {} records read back by a query, as they were written", case.topic, case.rows.lines().count());
    }
    telegraf.stop(Duration::from_secs(10))?;
    database.stop(Duration::from_secs(10))?;
    postern.stop()
}

/// A program of Go, built on first use.
fn built(name: &str, module: &str, tags: &str) -> Outcome<PathBuf> {
    let folder = workspace::cache()?.join(module.replace('/', "_"));
    let program = folder.join(name);
    if !program.exists() {
        println!("building {module}");
        let mut go = Command::new("go");
        process::run(go.args(["install", "-tags", tags, module]).env("GOBIN", &folder))?;
    }
    Ok(program)
}

/// On a free port, with a database; returns its URL as well.
fn start_influx(program: &Path, folder: &Path) -> Outcome<(Server, String)> {
    let (http, backup) = (free_port()?, free_port()?);
    let data = folder.join("influxdb");
    let data = data.display();
    let file = folder.join("influxdb.conf");
    let text = format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{backup}\"\n[meta]\ndir = \"{data}/meta\"\n\
         [data]\ndir = \"{data}/data\"\nwal-dir = \"{data}/wal\"\n[monitor]\nstore-enabled = false\n\
         [http]\nbind-address = \"127.0.0.1:{http}\"\nlog-enabled = false\n"
    );
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(program);
    let mut server =
        Server::start("InfluxDB", command.args(["run", "-config"]).arg(&file), &folder.join("influxdb.log"))?;
    server.wait_for(http, Duration::from_secs(30))?;
    let url = format!("http://127.0.0.1:{http}");
    curl(&["--data-urlencode", "q=CREATE DATABASE efd", &format!("{url}/query")])?;
    Ok((server, url))
}

/// With the configuration of the page, and the addresses of this run in it.
fn start_telegraf(program: &Path, folder: &Path, postern: &Postern, influx: &str) -> Outcome<Server> {
    let page = workspace::root().join("docs/telegraf.md");
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let configuration = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut configuration = configuration.ok_or("docs/telegraf.md shows no configuration")?.to_owned();
    for (shown, here) in [
        ("127.0.0.1:9092", postern.bootstrap.as_str()),
        ("http://127.0.0.1:8081", postern.registry.as_str()),
        ("http://127.0.0.1:8086", influx),
    ] {
        if !configuration.contains(shown) {
            return Err(format!("docs/telegraf.md does not name {shown}"));
        }
        configuration = configuration.replace(shown, here);
    }
    let file = folder.join("telegraf.conf");
    fs::write(&file, configuration).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(program);
    Server::start("Telegraf", command.arg("--config").arg(&file), &folder.join("telegraf.log"))
}

fn produce(postern: &Postern, case: &Case) -> Outcome {
    // The schema is a text within the request.
    let schema = case.schema.replace('\n', " ").replace('"', "\\\"");
    let body = format!(r#"{{"value_schema":"{schema}","records":[{}]}}"#, case.records);
    let url = format!("{}/topics/{}", postern.rest, case.topic);
    let answer = curl(&["-H", "Content-Type: application/vnd.kafka.avro.v2+json", "--data-binary", &body, &url])?;
    if answer.contains("\"offset\":null") { Err(format!("{}: {answer}", case.topic)) } else { Ok(()) }
}

/// An error is what was found instead.
fn compare(case: &Case, influx: &str) -> Outcome {
    let query = format!("q={}", case.query);
    let url = format!("{influx}/query?db=efd");
    let found = curl(&["-G", "-H", "Accept: application/csv", "--data-urlencode", &query, &url])?;
    // The first line names the columns; the first two of each are the measurement and tags that it is grouped by.
    let rows: String =
        found.lines().skip(1).filter_map(|line| line.splitn(3, ',').nth(2)).map(|row| format!("{row}\n")).collect();
    if rows == case.rows { Ok(()) } else { Err(found) }
}

fn curl(arguments: &[&str]) -> Outcome<String> {
    process::output(Command::new("curl").args(["-sS", "--fail-with-body"]).args(arguments))
}
