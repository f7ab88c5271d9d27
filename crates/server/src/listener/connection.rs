//! One connection, from the accept to the close.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bo_auth_core::time::{Clock, SystemClock};
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use metrics::counter;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Limits;
use super::activity::{Activity, Check, Overdue};
use super::body::{AnswerBody, InFlight};
use super::refusal::{Answers, Refusal};
use super::wire::Wire;
use crate::telemetry::RequestId;

/// How long we wait for a peer to take our last answer and to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// How much we read from a peer that still talks while we close. Closing over unread bytes makes the kernel send a
/// reset, which would destroy the answer on its way.
const FAREWELL_BYTES: usize = 8 * 1024 * 1024;

/// What the listener wants of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Go on.
    Serving,
    /// Finish what is in flight, begin nothing.
    Draining,
    /// Stop where you are.
    Cutting,
}

/// What all connections of a listener have in common.
pub(super) struct Connections<E> {
    endpoint: Arc<E>,
    address: LocalAddr,
    limits: Limits,
    answers: Answers,
    builder: Builder<TokioExecutor>,
    /// How many were cut with a request in flight.
    pub(super) cut: AtomicUsize,
}

/// How hyper's part of a connection ended.
enum Ending {
    /// Hyper was done, or gave up.
    Done(Option<hyper::Error>),
    /// We gave up.
    Overdue(Overdue),
    /// We were told to, or closed a connection that had nothing to say and nothing to be told.
    Cut,
}

impl<E: Endpoint + 'static> Connections<E> {
    pub(super) fn new(endpoint: E, address: SocketAddr, limits: Limits, answers: Answers) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // Deadlines are ours (`Activity`): hyper has one for both an idle connection and a half-sent header. A client that
        // has shut down its sending side still gets its answer, and a handler is not dropped half-way because of it.
        // At most 100 headers: hyper's default, and the only number that costs no allocation per request.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).half_close(true).max_buf_size(limits.header_bytes);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            // Hyper's own bounds, said here because they are what keeps floods of resets and of faulty frames short.
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(1024)
            .max_send_buf_size(400 * 1024)
            .keep_alive_interval(limits.idle_timeout)
            .keep_alive_timeout(limits.header_timeout);
        Self {
            endpoint: Arc::new(endpoint),
            address: LocalAddr(Addr::SocketAddr(address)),
            limits,
            answers,
            builder,
            cut: AtomicUsize::new(0),
        }
    }

    /// Serves one connection until it ends, whoever ends it.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, activity: &Arc<Activity>, stage: watch::Receiver<Stage>) {
        let ending = self.converse(stream, peer, activity, stage).await;
        let left = activity.take_left();
        let Some(stream) = left.stream else { return };
        match ending {
            Ending::Done(error) => {
                let bare_answer = left.bare_answer.unwrap_or_default();
                if let Some(refusal) = error.and_then(|error| Refusal::of(&error, &bare_answer)) {
                    self.refuse(stream, refusal).await;
                } else if !bare_answer.is_empty() || !activity.is_closed_by_peer() {
                    part(stream, &bare_answer).await;
                }
            }
            Ending::Overdue(overdue) => {
                count_overdue(overdue);
                if overdue == Overdue::Answer {
                    // What is left of it would only fill the kernel's memory. A socket that refuses this closes as any other.
                    let _ = stream.set_zero_linger();
                } else if activity.is_mid_head() {
                    self.refuse(stream, Refusal::HeaderTimeout).await;
                }
            }
            Ending::Cut => {}
        }
    }

    /// Hyper's part: requests and answers.
    async fn converse(&self, stream: TcpStream, peer: SocketAddr, activity: &Arc<Activity>, stage: watch::Receiver<Stage>) -> Ending {
        let peer = RemoteAddr(Addr::SocketAddr(peer));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let in_flight = InFlight::new(activity, request.version() == http::Version::HTTP_2);
            let request = (request, self.address.clone(), peer.clone(), Scheme::HTTP).into();
            let endpoint = Arc::clone(&self.endpoint);
            async move {
                // A connection that makes room is closed at once; nothing begins on it.
                let Some(in_flight) = in_flight else { return pending().await };
                let response: hyper::Response<_> = endpoint.get_response(request).await.into();
                Ok::<_, Infallible>(response.map(|body| AnswerBody::new(body, in_flight)))
            }
        });
        let wire = TokioIo::new(Wire::new(stream, Arc::clone(activity)));
        let connection = pin!(self.builder.serve_connection(wire, service));
        self.supervise(connection, activity, stage).await
    }

    /// Polls the connection, and ends it when its time or ours is up.
    async fn supervise<C>(&self, mut connection: Pin<&mut C>, activity: &Activity, mut stage: watch::Receiver<Stage>) -> Ending
    where
        C: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Closable,
    {
        let mut alarm = pin!(sleep_until(activity.first_check(&self.limits)));
        let mut evicted = pin!(activity.evicted.notified());
        let mut closing = false;
        let mut quiet = false;
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if quiet {
                        return Ending::Cut;
                    }
                    return Ending::Done(result.err().and_then(|error| error.downcast::<hyper::Error>().ok()).map(|error| *error));
                }
                changed = stage.changed() => {
                    let now = *stage.borrow_and_update();
                    if changed.is_err() || now == Stage::Cutting {
                        self.cut.fetch_add(usize::from(activity.is_in_flight()), Ordering::AcqRel);
                        return Ending::Cut;
                    }
                    quiet = activity.is_silent();
                    connection.as_mut().close();
                }
                () = evicted.as_mut() => return Ending::Cut,
                () = alarm.as_mut() => match activity.check(&self.limits, Instant::now()) {
                    Check::Again(then) => alarm.as_mut().reset(then),
                    // What the endpoint still works on is finished, and other streams have a moment for their answers.
                    Check::Overdue(Overdue::Answer) if activity.is_running() || (activity.is_multiplexed() && !closing) => {
                        closing = true;
                        connection.as_mut().close();
                        alarm.as_mut().reset(Instant::now() + FAREWELL);
                    }
                    // An idle peer is told (HTTP/2 has a frame for it) and given a moment to go.
                    Check::Overdue(Overdue::Idle) if !closing => {
                        closing = true;
                        quiet = true;
                        connection.as_mut().close();
                        alarm.as_mut().reset(Instant::now() + FAREWELL);
                    }
                    Check::Overdue(overdue) => return Ending::Overdue(overdue),
                },
            }
        }
    }

    /// Answers what was never a request.
    async fn refuse(&self, stream: TcpStream, refusal: Refusal) {
        let answer = self.answers.to(refusal);
        let request_id = RequestId::generate();
        counter!("bo_auth_requests_refused_total", "reason" => refusal.label()).increment(1);
        tracing::info!(requestId = %request_id, status = answer.status.as_u16(), reason = refusal.label(), "request refused unread");
        part(stream, &answer.to_bytes(request_id, SystemClock.now())).await;
    }
}

/// Sends the last words, closes our side, and reads on until the peer closes its own.
async fn part(mut stream: TcpStream, last_words: &[u8]) {
    let farewell = async {
        stream.write_all(last_words).await?;
        stream.shutdown().await?;
        let mut unread = FAREWELL_BYTES;
        while unread > 0 {
            stream.readable().await?;
            match discard(&stream) {
                Ok(0) => break,
                Ok(count) => unread = unread.saturating_sub(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    // Whichever way it goes, the connection is over.
    let _ = timeout(FAREWELL, farewell).await;
}

/// Reads what is there into a buffer that lives only now, not as long as the connection.
fn discard(stream: &TcpStream) -> std::io::Result<usize> {
    stream.try_read(&mut [0; 16 * 1024])
}

fn count_overdue(overdue: Overdue) {
    let phase = match overdue {
        Overdue::FirstRequest => "first_request",
        Overdue::Header => "header",
        Overdue::Answer => "answer",
        Overdue::Idle => "idle",
    };
    counter!("bo_auth_connections_timed_out_total", "phase" => phase).increment(1);
}

/// A connection that can be told to finish what it has and to close.
trait Closable {
    fn close(self: Pin<&mut Self>);
}

impl<I, S, X, B> Closable for hyper_util::server::conn::auto::Connection<'_, I, S, X>
where
    S: hyper::service::Service<hyper::Request<Incoming>, Response = hyper::Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    X: hyper_util::server::conn::auto::HttpServerConnExec<S::Future, B>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
