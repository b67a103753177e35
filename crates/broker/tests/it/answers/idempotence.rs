//! Producers that number their batches.

use kafka_protocol::messages::{InitProducerIdRequest, TransactionalId};

use super::data::produce;
use super::session::{Session, Topic};
use crate::wire::batches::records;
use crate::wire::text;

pub(crate) async fn run(session: &mut Session) {
    identifiers(session).await;
    sequences(session).await;
}

async fn identifiers(session: &mut Session) {
    let asked = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    // Elsewhere the first block of identifiers is fetched when the first is asked for.
    while session.quietly(4, asked.clone()).await.error_code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    session.each("a new one", 0..=5, |_| asked.clone()).await;
    let id = session.quietly(4, asked.clone()).await.producer_id;
    session.each("the same once more", 3..=5, |_| asked.clone().with_producer_id(id).with_producer_epoch(0)).await;
    session.ask("one of another", 4, asked.clone().with_producer_id(123_456.into()).with_producer_epoch(0)).await;
    session.ask("an epoch without an id", 4, asked.clone().with_producer_epoch(3)).await;
    session.ask("an id without an epoch", 4, asked.clone().with_producer_id(id)).await;
    session.ask("a timeout of nothing", 4, asked.clone().with_transaction_timeout_ms(0)).await;
    let named = |name| asked.clone().with_transactional_id(Some(TransactionalId(text(name))));
    session.ask("for a transaction without a name", 4, named("")).await;
}

async fn sequences(session: &mut Session) {
    let topic = &session.topic("numbered", 2, &[]).await;
    let two = |id, epoch, sequence| Some(records(&["a", "b"]).by(id, epoch, sequence).bytes());
    for at in 0..6 {
        session.ask("the next", 9, produce(9, topic, 0, two(77, 0, 2 * at))).await;
    }
    let cases = [
        ("the last once more", 77, 0, 10),
        ("the fifth last once more", 77, 0, 2),
        ("the sixth last once more", 77, 0, 0),
        ("a part of the last", 77, 0, 11),
        ("one that leaves a gap", 77, 0, 14),
        ("a newer epoch that does not begin", 77, 2, 12),
        ("a newer epoch", 77, 2, 0),
        ("an older epoch", 77, 1, 0),
        ("an older epoch that goes on", 77, 0, 12),
        ("a stranger that does not begin", 78, 0, 5),
        ("the stranger goes on", 78, 0, 7),
        ("the stranger leaves a gap", 78, 0, 70),
        ("an id without an epoch", 79, -1, 0),
        ("an id without a sequence", 79, 0, -1),
        ("a sequence and no id", -1, 0, 0),
        ("the largest sequence", 80, 0, i32::MAX - 1),
        ("the sequence begins anew", 80, 0, 0),
    ];
    for (title, id, epoch, sequence) in cases {
        session.ask(title, 9, produce(9, topic, 0, two(id, epoch, sequence))).await;
    }
    ends(session, topic).await;
    session.ask("another partition", 9, produce(9, topic, 1, two(77, 2, 0))).await;
    let doubled = [two(90, 0, 0).expect("a batch"), two(90, 0, 2).expect("a batch")].concat();
    session.ask("two batches", 9, produce(9, topic, 1, Some(doubled.into()))).await;
    let stamped = &session.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    session.ask("with the broker's time", 9, produce(9, stamped, 0, two(77, 0, 0))).await;
    session.ask("with the broker's time, once more", 9, produce(9, stamped, 0, two(77, 0, 0))).await;
}

async fn ends(session: &mut Session, topic: &Topic) {
    session.ask("what was taken", 7, super::data::list(topic, 0, -1)).await;
}
