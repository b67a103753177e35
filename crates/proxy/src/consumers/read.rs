//! Reading: records are decoded one by one into the text of the answer, until it is large enough, too large, or the time is over
//! (docs/reference/rest-v2.md §7.5).

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use postern_kafka::{AssignedPartition, Consumer, ConsumerRecord, IsolationLevel, PartitionId};
use postern_registry::Side;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::answer::ReadText;
use super::directory::{Mailbox, Stop};
use super::instance::{Instance, KEEP_FETCHED, Reads};
use super::instance_stream::StreamPlaces;
use super::memory::AnswerMemory;
use super::operation::{ReadLimits, Reply};
use super::record_decoders::{Decoders, TopicDecoders, record_len, text_expected};
use super::{ConsumerError, PartitionName, ReadAnswer, ReadRecord, RecordLayout};
use crate::{Error, Format, Proxy, run_large};

/// How long a read waits for schemas that are not in memory.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(10);
/// After so many bytes of records other tasks of the thread have their turn.
const TURN: usize = 64 << 10;

/// What a read has so far.
pub(super) struct Collected {
    pub(super) text: Vec<u8>,
    records: usize,
    /// Counted as the formats count.
    bytes: usize,
    /// Of keys and values as Kafka has them.
    stored_bytes: usize,
    memory: AnswerMemory,
    has_group: bool,
}

/// What became of one record.
enum Step {
    /// It is in the answer.
    Added,
    /// The answer is large enough without it.
    Full,
    /// It is the first, and there is no memory for its so many bytes.
    NoMemory(usize),
}

impl Instance {
    /// Reads, answers, and moves the position once the answer is accepted.
    pub(super) async fn read(
        &mut self,
        limits: ReadLimits,
        layout: &dyn RecordLayout,
        mut reply: Reply<ReadAnswer>,
        mailbox: &mut Mailbox,
    ) {
        let Mailbox { stop, streams, .. } = mailbox;
        let number = limits.stream;
        let superseded = async {
            if let Some(number) = number
                && streams.wait_for(|last| *last != number).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        let mut superseded = pin!(superseded);
        let collected = tokio::select! {
            biased;
            // Whoever wanted the records has gone.
            () = reply.closed() => None,
            () = &mut superseded => Some(Err(ConsumerError::StreamSuperseded.into())),
            collected = self.collect(limits, layout, stop) => Some(collected),
        };
        let accepted = match collected {
            None => false,
            Some(Err(error)) => {
                drop(reply.send(Err(error)));
                false
            }
            Some(Ok(collected)) => {
                let (records, bytes) = (collected.records, collected.stored_bytes);
                let (answer, accepted) = ReadAnswer::new(collected.into_text());
                let is_accepted = match reply.send(Ok(answer)) {
                    Ok(()) => tokio::select! {
                        biased;
                        // Its client came back over another connection, and this one need not be read any more.
                        () = &mut superseded => false,
                        is_accepted = self.accepted(accepted) => is_accepted,
                    },
                    Err(_) => false,
                };
                if is_accepted {
                    self.is_opened_again &= records == 0;
                    self.proxy.counters().read(self.settings.formats.value, records, bytes);
                }
                is_accepted
            }
        };
        match accepted {
            true => self.consumer.confirm(),
            false => self.consumer.rewind(),
        }
        // The memory is for those who read now.
        let fetched = self.proxy.consumers().fetched();
        if fetched.used().0 > fetched.capacity().0 / 2 {
            self.consumer.discard_fetched();
        }
    }

    /// Whether an answer is accepted. Its client may take its time, and what was fetched ahead is not kept for so long.
    async fn accepted(&mut self, mut accepted: oneshot::Receiver<()>) -> bool {
        match timeout(KEEP_FETCHED, &mut accepted).await {
            Ok(accepted) => accepted.is_ok(),
            Err(_) => {
                self.consumer.discard_fetched();
                accepted.await.is_ok()
            }
        }
    }

    /// Whether there is something to read.
    pub(super) fn check_readable(&self) -> Result<(), Error> {
        if let Reads::Nothing = self.reads {
            return Err(ConsumerError::NothingToRead.into());
        }
        match self.reads.illegal_topic() {
            Some(name) => Err(ConsumerError::IllegalTopic(name.to_owned()).into()),
            None => Ok(()),
        }
    }

    /// Takes records until the read ends.
    async fn collect(
        &mut self,
        limits: ReadLimits,
        layout: &dyn RecordLayout,
        stop: &mut Stop,
    ) -> Result<Collected, Error> {
        self.check_readable()?;
        let is_streamed = limits.stream.is_some();
        let wait = match (limits.wait, is_streamed) {
            (Some(wait), true) => wait,
            (wait, _) => wait.unwrap_or(self.settings.wait).min(self.settings.wait),
        };
        let min_bytes = if is_streamed { Some(1) } else { self.settings.min_bytes };
        self.stream.begin_read();
        let reading = Reading {
            proxy: &self.proxy,
            consumer: &mut self.consumer,
            places: is_streamed.then_some(&mut self.stream),
            decoders: &mut Decoders::new(self.settings.formats),
            layout,
            max_bytes: limits.max_bytes,
            memory: AnswerMemory::new(self.proxy.consumers().answers().clone(), is_streamed, limits.share),
            has_group: true,
            enough: min_bytes.map_or(Enough::Never, Enough::Bytes),
            deadline: Instant::now() + wait,
        };
        reading
            .collect(async {
                stop.requested().await;
            })
            .await
    }
}

/// One read: what it uses, and when it ends.
pub(super) struct Reading<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) consumer: &'a mut Consumer,
    /// Of a stream of an instance.
    pub(super) places: Option<&'a mut StreamPlaces>,
    pub(super) decoders: &'a mut Decoders,
    pub(super) layout: &'a dyn RecordLayout,
    pub(super) max_bytes: Option<usize>,
    pub(super) memory: AnswerMemory,
    pub(super) has_group: bool,
    pub(super) enough: Enough,
    pub(super) deadline: Instant,
}

/// When a read need not wait for more.
pub(super) enum Enough {
    /// It lasts until its deadline.
    Never,
    /// When it has a record and so many bytes.
    Bytes(usize),
    /// When it has the records before these offsets of the partitions of one topic, where there are any.
    Until(BTreeMap<PartitionId, i64>),
}

impl Enough {
    /// No record came before the deadline. `is_certain`: what stands before the ends can be read, whatever transactions are open.
    ///
    /// # Errors
    /// There are records, or whether there are any is not known.
    fn nothing_came(&self, consumer: &Consumer, is_certain: bool) -> Result<(), Error> {
        if consumer.lacks_memory() {
            return Err(ConsumerError::NoFetchMemory.into());
        }
        if let Enough::Until(ends) = self
            && is_certain
        {
            let (_, assigned) = consumer.assigned_since(0).unwrap_or_default();
            // What was left out, as the ends of transactions, is passed.
            let is_before = |at: &&AssignedPartition| {
                let end = ends.get(&at.partition.partition);
                end.is_some_and(|end| at.position.is_none_or(|position| position.0 < *end))
            };
            if let Some(missing) = assigned.iter().find(is_before) {
                let partition = PartitionName::from(&missing.partition);
                let offset = missing.position.map_or(0, |position| position.0);
                return Err(ConsumerError::NotFetched { partition, offset }.into());
            }
        }
        Ok(())
    }
}

impl Reading<'_> {
    /// Takes records until the read ends, or `stop` resolves. An error that comes after a record ends the read with what there is; it comes
    /// again with the next one.
    pub(super) async fn collect(self, stop: impl Future<Output = ()>) -> Result<Collected, Error> {
        let Reading {
            proxy,
            consumer,
            mut places,
            decoders,
            layout,
            max_bytes,
            memory,
            has_group,
            mut enough,
            deadline,
        } = self;
        let most = proxy.consumers().limits().read_bytes;
        let max_bytes = max_bytes.unwrap_or(most).min(most);
        let mut stop = pin!(stop);
        let mut collected = Collected::new(memory, has_group);
        let mut turn = TURN;
        layout.begin();
        loop {
            let polled = tokio::select! {
                polled = consumer.poll(deadline) => polled,
                () = &mut stop => return Ok(collected),
            };
            let followed = match &mut places {
                Some(places) => places.follow(consumer, layout, &mut collected.text),
                None => Ok(()),
            };
            match polled.map_err(Error::from).and_then(|polled| followed.map(|()| polled)) {
                Ok(true) => {}
                Ok(false) if collected.records > 0 => return Ok(collected),
                Ok(false) => {
                    // As Kafka's own consumers an instance has nothing then (docs/reference/rest-v2.md §7.5), and the client tries again.
                    if has_group && let Some(error) = consumer.failing() {
                        proxy.consumers().tell_unanswered(error);
                    }
                    let is_certain = proxy.consumers().limits().isolation_level == IsolationLevel::ReadUncommitted;
                    return enough.nothing_came(consumer, is_certain).map(|()| collected);
                }
                Err(_) if collected.records > 0 => return Ok(collected),
                Err(error) => return Err(error),
            }
            while let Some(record) = consumer.peek() {
                let size = record_len(record);
                let decoders = decoders.of(proxy, &record.topic);
                if !decoders.know(record) {
                    decoders.prepare(record, Instant::now() + SCHEMA_TIMEOUT).await;
                }
                let step = run_large(size, || collected.add(record, decoders, layout, max_bytes)).await;
                match step {
                    Ok(Step::Added) => match consumer.take() {
                        Some(taken) => {
                            let next = taken.record.offset.0.saturating_add(1);
                            if let Enough::Until(ends) = &mut enough
                                && ends.get(&taken.partition).is_some_and(|end| next >= *end)
                            {
                                ends.remove(&taken.partition);
                            }
                            layout.taken(taken.topic.as_str(), taken.partition.0, taken.record.offset.0);
                            collected.stored_bytes += size;
                        }
                        // The partition was given to another member of the group meanwhile: begin again.
                        None => {
                            consumer.rewind();
                            layout.begin();
                            collected = Collected::new(collected.memory, has_group);
                            break;
                        }
                    },
                    Ok(Step::Full) => return Ok(collected),
                    // Nothing is held while it waits: neither what was fetched, which comes again, nor memory that does not suffice.
                    Ok(Step::NoMemory(needed)) => {
                        consumer.discard_fetched();
                        collected.text.shrink_to_fit();
                        let is_there = tokio::select! {
                            is_there = collected.memory.wait_unless_streamed(needed, deadline) => is_there,
                            () = &mut stop => return Ok(collected),
                        };
                        match is_there {
                            true => break,
                            false => return Err(ConsumerError::NoMemory { needed }.into()),
                        }
                    }
                    Err(_) if collected.records > 0 => return Ok(collected),
                    Err(error) => return Err(error),
                }
                // A record costs something, however small it is.
                turn = turn.saturating_sub(size.max(256));
                if turn == 0 {
                    turn = TURN;
                    yield_now().await;
                }
            }
            let is_enough = match &enough {
                Enough::Never => false,
                Enough::Bytes(min) => collected.bytes >= *min,
                Enough::Until(ends) => ends.is_empty(),
            };
            if is_enough && collected.records > 0 {
                return Ok(collected);
            }
        }
    }
}

impl Collected {
    /// Counts what was read, in the format of its values.
    pub(super) fn note_read(&self, proxy: &Proxy, format: Format) {
        proxy.counters().read(format, self.records, self.stored_bytes);
    }

    fn new(memory: AnswerMemory, has_group: bool) -> Collected {
        Collected { text: Vec::new(), records: 0, bytes: 0, stored_bytes: 0, memory, has_group }
    }

    /// What [`Collected::undo`] goes back to.
    fn mark(&self) -> (usize, usize, usize) {
        (self.text.len(), self.records, self.bytes)
    }

    /// Drops what was added since `mark`.
    fn undo(&mut self, (text, records, bytes): (usize, usize, usize)) {
        self.text.truncate(text);
        (self.records, self.bytes) = (records, bytes);
    }

    /// Appends a record, unless the answer is large enough without it.
    fn add(
        &mut self,
        record: &ConsumerRecord,
        decoders: &TopicDecoders,
        layout: &dyn RecordLayout,
        max_bytes: usize,
    ) -> Result<Step, Error> {
        let before = self.mark();
        if self.records == 0 {
            let expected = before.0 + text_expected(record);
            if !self.memory.grow(expected) {
                return Ok(Step::NoMemory(expected));
            }
            self.text.reserve_exact(expected);
        }
        let shown =
            ReadRecord::new(record, decoders.key.side(Side::Key, record), decoders.value.side(Side::Value, record));
        let written = match self.write(record, &shown, decoders, layout) {
            Err(Error::Consumer(ConsumerError::Undecodable { side, partition, offset, reason, .. })) => {
                let has_group = self.has_group;
                let error = ConsumerError::Undecodable { side, partition, offset, reason, has_group }.into();
                self.undo(before);
                match layout.undecodable(&shown, &error, &mut self.text) {
                    true => Ok(record_len(record)),
                    false => Err(error),
                }
            }
            written => written,
        };
        let added = written.map(|bytes| self.count(bytes, max_bytes));
        if !matches!(added, Ok(Step::Added)) {
            self.undo(before);
        }
        added
    }

    /// Appends a record, and returns how many bytes it counts for.
    fn write(
        &mut self,
        record: &ConsumerRecord,
        shown: &ReadRecord<'_>,
        decoders: &TopicDecoders,
        layout: &dyn RecordLayout,
    ) -> Result<usize, Error> {
        layout.before_key(shown, &mut self.text);
        let key = decoders.key.append(Side::Key, record, &mut self.text)?;
        layout.before_value(shown, &mut self.text);
        let value = decoders.value.append(Side::Value, record, &mut self.text)?;
        layout.after_value(shown, &mut self.text);
        Ok(key + value)
    }

    /// Counts a record that was appended, if there is room for it.
    fn count(&mut self, bytes: usize, max_bytes: usize) -> Step {
        let bytes = self.bytes + bytes;
        if self.records > 0 && bytes >= max_bytes {
            return Step::Full;
        }
        match self.memory.grow(self.text.len()) {
            true => {}
            false if self.records > 0 => return Step::Full,
            false => return Step::NoMemory(self.text.len()),
        }
        self.bytes = bytes;
        self.records += 1;
        Step::Added
    }

    /// As an answer whose records count as read.
    pub(super) fn into_answer(self) -> ReadAnswer {
        ReadAnswer::read(self.into_text())
    }

    fn into_text(self) -> ReadText {
        ReadText::new(self.text, self.memory.into_share())
    }
}
