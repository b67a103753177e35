//! Reading a topic without a group, as far as it is the same in both APIs: a list of what there is, or a stream that goes on.

use postern_proxy::{PartitionId, Proxy, ReadFormats, ReadStart, TopicName};

use super::{
    Framing, Positions, RecordObject, RecordStreams, Source, framed, hung_up, last_event_id, limits, positions_of,
    start, went_away, wrong_event_id,
};
use crate::problem::{Problem, problem};
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// What of a topic is read, and in which formats.
#[derive(Clone, Copy)]
pub(crate) struct TopicRead<'a> {
    pub(crate) topic: &'a TopicName,
    pub(crate) partitions: &'a [PartitionId],
    /// Whether these are all partitions, so that later ones belong to them.
    pub(crate) is_whole: bool,
    pub(crate) formats: ReadFormats,
}

impl TopicRead<'_> {
    /// What there is within the limits of the request: objects in a JSON array whose end is the caller's, and the place after them.
    pub(crate) async fn list<R: RecordObject>(
        self,
        proxy: &Proxy,
        request: &RequestContext,
        object: R,
    ) -> Result<(Vec<u8>, Positions), Problem> {
        let (limits, start) = (limits(request)?, start(request, ReadStart::Beginning)?);
        let refused = |error| problem(R::DIALECT, &error);
        let read = async {
            let reader = proxy.topic_reader(self.topic, self.partitions, &start, self.formats, false);
            let mut reader = reader.await.map_err(refused)?;
            let (layout, positions) = framed(Framing::List, object, false, positions_of(reader.starts()));
            let answer = reader.read(limits, &layout).await.map_err(refused)?;
            let after = positions.lock().clone();
            Ok::<_, Problem>((answer, after))
        };
        let (answer, after) = tokio::select! {
            biased;
            () = hung_up(request.client()) => return Err(went_away()),
            read = read => read?,
        };
        Ok((answer.accept(), after))
    }

    /// A stream: from where an earlier one has ended, or where the request says, else of records to come.
    pub(crate) async fn stream<R: RecordObject>(
        self,
        proxy: &Proxy,
        request: &RequestContext,
        streams: &RecordStreams,
        object: R,
    ) -> Result<Reply, Problem> {
        let start = match last_event_id(request)? {
            None => start(request, ReadStart::End)?,
            Some(read) => {
                let places = read.of_topic().ok_or_else(|| wrong_event_id(&read.text()))?;
                ReadStart::Resumed(places.into_iter().map(|(partition, next)| (PartitionId(partition), next)).collect())
            }
        };
        let permit = streams.permit()?;
        let reader = proxy.topic_reader(self.topic, self.partitions, &start, self.formats, true);
        let reader = reader.await.map_err(|error| problem(R::DIALECT, &error))?;
        let positions = positions_of(reader.starts());
        Ok(streams.open(permit, request, Source::Topic(Box::new(reader), self.is_whole), object, positions))
    }
}
