//! The stream of events of one browser.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::feed::{Feed, Subscription};
use connmon_system::memory;

/// Without a message for so long, a comment shows that the server is there.
const ALIVE: Duration = Duration::from_secs(15);

type Item = Result<Bytes, Infallible>;

/// `GET /events`: goes on after the event that the browser names, or begins with everything.
pub(super) async fn events(
    State(feed): State<Arc<Feed>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let asked = || query?.split('&').find_map(|pair| pair.strip_prefix("after=").map(str::to_owned));
    let after = last.or_else(asked);
    let (sender, receiver) = channel(2);
    tokio::spawn(async move {
        // It ends when the browser has gone.
        let _ = tell(feed, after, &sender).await;
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

/// Tells one browser until it has gone.
async fn tell(feed: Arc<Feed>, after: Option<String>, to: &Sender<Item>) -> Option<()> {
    feed.ready().await;
    let Subscription { mut ticks, first, mut seq, anew } = feed.begin(after.as_deref());
    if anew {
        seq = snapshot(&feed, 0, to).await?;
    }
    for text in first {
        to.send(Ok(text)).await.ok()?;
    }
    loop {
        let next = tokio::select! {
            next = timeout(ALIVE, ticks.recv()) => next,
            () = to.closed() => return None,
        };
        match next {
            Ok(Ok(tick)) if tick.seq <= seq => {}
            Ok(Ok(tick)) => {
                seq = tick.seq;
                to.send(Ok(tick.text.clone())).await.ok()?;
            }
            Ok(Err(RecvError::Lagged(missed))) => seq = snapshot(&feed, missed, to).await?,
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => to.send(Ok(Bytes::from_static(b": \n\n"))).await.ok()?,
        }
    }
}

/// Sends everything; gives the number of the last message that is in it.
async fn snapshot(feed: &Arc<Feed>, missed: u64, to: &Sender<Item>) -> Option<u64> {
    // Never closed: the feed keeps the semaphore.
    let _turn = feed.renders.acquire().await.ok()?;
    let feed = feed.clone();
    let made = tokio::task::spawn_blocking(move || {
        let made = feed.snapshot(missed);
        memory::give_back();
        made
    });
    let (text, seq) = made.await.ok()?;
    to.send(Ok(text)).await.ok()?;
    Some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Update;
    use crate::tests::first;
    use crate::update::Snapshot;
    use connmon_fixtures::rows::connection;

    /// A feed that has begun.
    fn feed() -> Arc<Feed> {
        let feed = Arc::new(Feed::new(None, 1, 1_000).unwrap());
        let all = Snapshot { first: true, last: true, missed: 0, forgotten: 0 };
        feed.apply(Update { snapshot: Some(all), ..first() });
        assert!(feed.publish(false).is_some());
        feed
    }

    fn opened(row: i64) -> Update {
        Update { run: None, connections: vec![connection(row, 1, "8.8.4.4")], ..first() }
    }

    async fn next(receiver: &mut tokio::sync::mpsc::Receiver<Item>) -> String {
        String::from_utf8(receiver.recv().await.unwrap().unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_browser_that_does_not_keep_up_begins_anew() {
        let feed = feed();
        let (sender, mut receiver) = channel(2);
        let telling = feed.clone();
        tokio::spawn(async move { tell(telling, None, &sender).await });
        assert!(next(&mut receiver).await.starts_with("event: snapshot"));
        assert!(next(&mut receiver).await.starts_with("event: hello"));
        for row in 10..50 {
            feed.apply(opened(row));
            assert!(feed.publish(false).is_some());
        }
        let text = next(&mut receiver).await;
        assert!(text.starts_with("event: snapshot") && text.contains("\"dropped\":24"), "{text}");
        feed.apply(opened(60));
        assert!(feed.publish(false).is_some());
        let text = next(&mut receiver).await;
        assert!(text.starts_with("event: update") && text.contains("\"payload\""), "{text}");
    }

    #[tokio::test]
    async fn what_was_missed_is_told_once() {
        let feed = feed();
        for row in 10..13 {
            feed.apply(opened(row));
            feed.publish(false);
        }
        let last = feed.view().last;
        let epoch = last.split('-').next().unwrap();
        let begun = feed.begin(Some(&format!("{epoch}-2")));
        assert!(!begun.anew);
        // Two updates, and what was said of all.
        assert_eq!(begun.first.len(), 3);
        assert_eq!(feed.begin(Some(&last)).first.len(), 1);
        for unknown in [None, Some("0-1"), Some(""), Some(&*format!("{epoch}-99"))] {
            assert!(feed.begin(unknown).anew, "{unknown:?}");
        }
    }

    #[test]
    fn a_feed_does_not_grow_with_what_there_was() {
        const KEEP: usize = 100;
        let feed = Feed::new(None, 1, KEEP).unwrap();
        let all = Snapshot { first: true, last: true, missed: 0, forgotten: 0 };
        feed.apply(Update { snapshot: Some(all), ..first() });
        let ended = |row| crate::tests::closed(connection(row, 1, "8.8.4.4"), connmon_record::End::Fin);
        for part in 0..200 {
            let connections = (0..500).map(|n| ended(3 + part * 500 + n)).collect();
            feed.apply(Update { run: None, connections, traffic: vec![], names: vec![], ..first() });
            assert!(feed.publish(false).is_some());
        }
        let sizes = feed.sizes();
        assert!(sizes.recent <= 64 && sizes.bytes <= 8 << 20, "{sizes:?}");
        assert_eq!(sizes.pending, 0, "{sizes:?}");
    }

    #[test]
    fn a_recorder_that_went_without_a_word_leaves_nothing_open() {
        let feed = feed();
        feed.gone();
        assert!(feed.publish(false).is_some(), "its open connections have changed");
        let view = feed.view();
        assert!(view.connections.iter().all(|(_, one)| one.end == Some(connmon_record::End::RecordingEnded)));
        assert!(!view.runs[0].going_on);
        // A recorder that comes begins anew.
        let all = Snapshot { first: true, last: true, missed: 0, forgotten: 0 };
        feed.apply(Update { snapshot: Some(all), ..first() });
        assert!(
            feed.view().connections.iter().all(|(_, one)| one.end.is_none()) && feed.view().runs[0].going_on
        );
    }

    #[test]
    fn half_a_snapshot_is_not_shown() {
        let feed = feed();
        let part = |first, last| Some(Snapshot { first, last, missed: 2, forgotten: 0 });
        let seen = || feed.view().connections.iter().map(|(_, one)| one.id & 0xff).collect::<Vec<_>>();
        feed.apply(Update { snapshot: part(true, false), ..first() });
        feed.apply(Update { snapshot: part(false, false), ..opened(7) });
        assert_eq!(seen(), [1, 2]);
        assert!(feed.publish(false).is_none());
        feed.apply(Update { snapshot: part(false, true), ..opened(8) });
        assert_eq!(seen(), [1, 2, 7, 8]);
        assert!(feed.publish(false).is_some());
        // One that breaks off leaves what was.
        feed.apply(Update { snapshot: part(true, false), ..opened(9) });
        feed.apply(Update { snapshot: part(true, true), ..first() });
        assert_eq!(seen(), [1, 2]);
    }

    #[test]
    fn messages_about_messages_wait() {
        let feed = feed();
        let mut own = opened(10);
        own.connections[0].remote = connmon_record::Endpoint::new("127.0.0.1".parse().unwrap(), 1);
        feed.apply(own.clone());
        assert!(feed.publish(false).is_some(), "that it began is told");
        own.connections[0].kernel = Some(connmon_record::KernelTotals::default());
        feed.apply(Update { traffic: vec![], processes: vec![], ..own });
        assert!(feed.publish(false).is_none());
        assert!(feed.publish(true).is_some(), "in time");
    }
}
