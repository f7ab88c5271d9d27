//! The body of an answer, which keeps its request in flight until the last byte has been handed on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Activity;

/// A request that is being worked on; ends when it is dropped, so that a request whose client has left ends too.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    answered: bool,
}

impl InFlight {
    /// `None` if the connection takes no more requests.
    pub(super) fn new(activity: &Arc<Activity>, multiplexed: bool) -> Option<Self> {
        activity.started(multiplexed).then(|| Self { activity: Arc::clone(activity), answered: false })
    }

    fn answered(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.activity.answered();
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.answered();
        self.activity.finished();
    }
}

/// A body with its request.
pub(super) struct AnswerBody<B> {
    body: B,
    in_flight: InFlight,
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, mut in_flight: InFlight) -> Self {
        in_flight.answered();
        Self { body, in_flight }
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.in_flight.activity.produced(data.len());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
