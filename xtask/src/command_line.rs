//! What every command shares: its result, and the text that lists them all.

/// The result of a command; an error is a complete message for the terminal.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The commands.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [--list | STEP…]
                    everything that must hold before a change lands; with names (--list shows them): these
                    steps only
  suite [--nodes 3 | --kafka VERSION] [WORD…]
                    the tests of the Kafka client on an Apache Kafka: one node, three, or another version; with words:
                    those with one of them in their name
  chaos [--seed N] [--faults N] [--seconds N]
                    what the client says of records, held against the log under faults: of requests, and of brokers
                    that are killed, frozen and moved
  conformance [--embedded|--apache] [--update] [-v] [-k WORD] [FILE…]
                    replays the recorded scenarios; --update writes the list of expected failures anew
  bench [--rounds N] [--seconds N | --streams | --reading]
                    one table: echo, produce with one and with many records and as streams, and reading, beside
                    native clients; --streams, --reading: these only
  overload [--short] [--embedded|--apart|--apache]
                    thousands of clients, slow readers, large bodies, and Kafka away in the middle
  replicas [--records N] [--instances N] [--rounds N] [--seconds N]
                    consumer instances over three replicas on an Apache Kafka, which end one after the other
  pipeline          records over HTTP through Kafka and Telegraf into InfluxDB, with the real programs
  packages          what is in deploy/, built and tried as far as this machine can
  tidy              imports, dependencies, links and sizes
";
