//! Which broker coordinates a group, and asking it.
//!
//! Nothing is kept: a group moves to another broker at any time, and its members remember their coordinator by themselves.
//!
//! Source: KIP-699, the Kafka protocol guide.

use std::time::Duration;

use kafka_protocol::{
    messages::FindCoordinatorRequest,
    protocol::{HeaderVersion, Request, StrBytes},
};
use tokio::time::{Instant, sleep};

use crate::{
    Error, NodeId,
    error::ErrorCode,
    network::{Broker, CallError, Destination, Network},
};

/// The pause between two attempts while the coordinator is elected or loads the group.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The kind of coordinator that groups have.
const GROUP: i8 = 0;

/// The coordinator of `group`, asked for until there is one or `deadline` has come. Afterwards the network knows its address.
///
/// # Errors
/// No coordinator by `deadline`; not authorized; no broker can be reached.
pub(crate) async fn find(network: &Network, group: &str, deadline: Instant) -> Result<NodeId, Error> {
    loop {
        let key = StrBytes::from_string(group.to_owned());
        let build = move |_| FindCoordinatorRequest::default().with_key(key.clone()).with_key_type(GROUP);
        let response = network.ask(Destination::Any, true, deadline, build).await.map_err(|failed| failed.error)?;
        let code = ErrorCode(response.error_code);
        if code == ErrorCode::NONE {
            let id = NodeId(response.node_id.0);
            let port = u16::try_from(response.port).unwrap_or(0);
            network.add(&Broker { id, host: response.host.to_string(), port, rack: None });
            return Ok(id);
        }
        if !is_passing(code) || Instant::now() + RETRY_PAUSE >= deadline {
            return Err(code.error(response.error_message.as_deref()));
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Asks the coordinator of `group`, and the next one where the group has moved or is being loaded. `code` reads the error code
/// of an answer that concerns the coordinator. A request that may have been carried out is repeated only if it is `repeatable`.
///
/// # Errors
/// The last reason why there was no answer.
pub(crate) async fn ask<R: Request>(
    network: &Network,
    group: &str,
    repeatable: bool,
    deadline: Instant,
    build: impl Fn(i16) -> R + Clone + Send + 'static,
    code: impl Fn(&R::Response) -> i16,
) -> Result<R::Response, CallError>
where
    R::Response: HeaderVersion,
{
    loop {
        let coordinator = find(network, group, deadline).await.map_err(|error| CallError { error, sent: false })?;
        // Not for ever: a coordinator that is away is replaced by another.
        let until = deadline.min(Instant::now() + (deadline - Instant::now()) / 2);
        let answered = network.ask(Destination::Broker(coordinator), repeatable, until, build.clone()).await;
        let has_time = Instant::now() + RETRY_PAUSE < deadline;
        match answered {
            Ok(response) if is_passing(ErrorCode(code(&response))) && has_time => {}
            Err(failed) if failed.error.is_transient() && (repeatable || !failed.sent) && has_time => {}
            answered => return answered,
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Whether another coordinator, or the same a moment later, answers.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR
    )
}
