//! A network line that can be cut, clogged and mended while everything runs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the line behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// As it should.
    Through,
    /// Nobody listens at its end.
    Refused,
    /// Connections are taken and nothing ever comes back.
    BlackHole,
    /// Answers come a few bytes at a time.
    Drip,
    /// Answers are cut by a reset after this many bytes.
    CutAfter(usize),
}

/// A line to one address; it ends with this value.
pub(crate) struct Line {
    /// Where it begins.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// A line to whatever address `target` will hold.
    pub(crate) async fn lay(target: watch::Receiver<Option<SocketAddr>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (state, seen) = watch::channel(State::Through);
        let task = tokio::spawn(serve(listener, address, target, seen));
        Self { address, state, task }
    }

    /// From here on it behaves like this, for connections that are open, too.
    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    target: watch::Receiver<Option<SocketAddr>>,
    mut state: watch::Receiver<State>,
) {
    let mut listener = Some(listener);
    loop {
        let now = *state.borrow_and_update();
        if now == State::Refused {
            listener = None;
            if state.changed().await.is_err() {
                return;
            }
            continue;
        }
        let listening = match listener.take() {
            Some(listening) => listening,
            None => TcpListener::bind(address).await.expect("the port is ours"),
        };
        tokio::select! {
            accepted = listening.accept() => {
                if let (Ok((client, _)), Some(target)) = (accepted, *target.borrow()) {
                    tokio::spawn(carry(client, target, now, state.clone()));
                }
            }
            changed = state.changed() => if changed.is_err() { return },
        }
        listener = Some(listening);
    }
}

async fn carry(client: TcpStream, target: SocketAddr, now: State, mut state: watch::Receiver<State>) {
    let work = async {
        if now == State::BlackHole {
            return std::future::pending::<()>().await;
        }
        let Ok(server) = TcpStream::connect(target).await else { return };
        let _kept_as_is = server.set_nodelay(true);
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let asking = async { copy(&mut from_client, &mut to_server).await };
        let answering = async {
            let mut sent = 0;
            let mut piece = [0; 16 * 1024];
            let size = if now == State::Drip { 8 } else { piece.len() };
            while let Ok(count @ 1..) = from_server.read(&mut piece[..size]).await {
                if let State::CutAfter(most) = now
                    && sent + count > most
                {
                    let _closed = to_client.write_all(&piece[..most.saturating_sub(sent)]).await;
                    return;
                }
                if to_client.write_all(&piece[..count]).await.is_err() {
                    return;
                }
                sent += count;
                if now == State::Drip {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        tokio::select! {
            _ = asking => {}
            () = answering => {}
        }
    };
    tokio::select! {
        () = work => {}
        _ = state.wait_for(|next| *next != now) => {}
    }
}
