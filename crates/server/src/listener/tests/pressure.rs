//! Clients that hold on to what they have: answers they do not take, and more connections than are theirs.

use std::net::Ipv4Addr;

use super::*;

const PING: u8 = 6;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const INITIAL_WINDOW_SIZE: u8 = 4;

/// Much longer than anything here takes, and much shorter than the limits of `unhurried`.
const BOUND: Duration = Duration::from_secs(20);

/// Connects from an address of this machine's own.
async fn connect_from(server: &Server, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// A request on HTTP/2 of a client that takes `window` bytes of each answer.
fn get_with_window(window: u8) -> Vec<u8> {
    let settings = frame(SETTINGS, 0, 0, &[0, INITIAL_WINDOW_SIZE, 0, 0, 0, window]);
    [HTTP2_PREFACE, &settings, &frame(HEADERS, END_STREAM_AND_HEADERS, 1, &GET_SLASH)].concat()
}

/// Answers pings and sends some, until the server closes the connection.
async fn ping_until_closed(mut stream: TcpStream) {
    let ping = frame(PING, 0, 0, &[7; 8]);
    let mut received = [0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut received) => if matches!(read, Ok(0) | Err(_)) { return },
            () = tokio::time::sleep(SHORT / 10) => if stream.write_all(&ping).await.is_err() { return },
        }
    }
}

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // An end and a reset are both a close.
    let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut rest)).await.expect("the connection is closed");
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

/// The 99th percentile of what it takes to connect and to be answered.
async fn p99_of_newcomers(server: &Server) -> Duration {
    let mut took = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        let mut stream = server.connect().await;
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took[98]
}

#[tokio::test]
async fn an_http2_answer_that_is_not_taken_ends_its_connection_whatever_is_pinged() {
    for window in [0, 1] {
        let server = Server::start(Limits { answer_timeout: SHORT, ..unhurried() });
        let mut stream = server.connect().await;
        stream.write_all(&get_with_window(window)).await.unwrap();
        tokio::time::timeout(BOUND, ping_until_closed(stream)).await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn an_http2_answer_that_is_taken_piece_by_piece_arrives() {
    let server = Server::start(Limits { answer_timeout: SHORT * 4, ..unhurried() });
    let mut stream = server.connect().await;
    stream.write_all(&get_with_window(0)).await.unwrap();
    assert_eq!(read_frame(&mut stream, HEADERS, 1).await[0], STATUS_200);
    stream.write_all(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 100])).await.unwrap();
    assert!(read_frame(&mut stream, DATA, 1).await.starts_with(b"peer "));
    // Nothing of it is left to be taken, so that the connection goes on.
    tokio::time::sleep(SHORT * 6).await;
    stream.write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 3, &GET_SLASH)).await.unwrap();
    assert_eq!(read_frame(&mut stream, HEADERS, 3).await[0], STATUS_200);
}

#[tokio::test]
async fn an_answer_that_has_nothing_to_say_for_now_goes_on() {
    let server = Server::start(Limits { answer_timeout: SHORT, ..unhurried() });
    let mut stream = server.connect().await;
    // `:method: GET`, `:scheme: http` and a path as a literal.
    let quiet = frame(HEADERS, END_STREAM_AND_HEADERS, 1, b"\x82\x86\x04\x06/quiet");
    stream.write_all(&[HTTP2_PREFACE, &frame(SETTINGS, 0, 0, &[]), &quiet].concat()).await.unwrap();
    assert_eq!(read_frame(&mut stream, DATA, 1).await, b"first");
    tokio::time::sleep(SHORT * 6).await;
    stream.write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 3, &GET_SLASH)).await.unwrap();
    assert_eq!(read_frame(&mut stream, HEADERS, 3).await[0], STATUS_200);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let server = Server::start(Limits { answer_timeout: SHORT, ..unhurried() });
    let mut stream = connect_from(&server, 1).await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let write_until_closed = async {
        while stream.write_all(b"G").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::time::timeout(BOUND, write_until_closed).await.expect("the connection is closed");
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_arrives_whole() {
    let server = Server::start(Limits { answer_timeout: SHORT * 4, ..unhurried() });
    let mut stream = connect_from(&server, 1).await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut count, mut bytes) = (0, vec![0; BIG_BYTES / 16]);
    loop {
        let read = stream.read(&mut bytes).await.unwrap();
        if read == 0 {
            break;
        }
        count += read;
        if count % 8 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(count > BIG_BYTES, "{count}");
}

#[tokio::test]
async fn floods_of_frames_end_their_connection() {
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    let opened_and_reset = |id: u8| {
        let mut reset = reset.clone();
        reset[8] = id;
        [frame(HEADERS, END_STREAM_AND_HEADERS, id, &GET_SLASH), reset].concat()
    };
    let rapid: Vec<u8> = (0..120).flat_map(|number| opened_and_reset(2 * number + 1)).collect();
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(1000);
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    for (name, flood) in [("resets", rapid), ("settings", settings), ("pings", pings)] {
        let server = Server::start(Limits { answer_timeout: SHORT, ..unhurried() });
        let mut stream = connect_from(&server, 1).await;
        stream.write_all(&[HTTP2_PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        // Nothing is read: what the server says in return fills its own buffers.
        let until_closed = async { while stream.write_all(&flood).await.is_ok() {} };
        tokio::time::timeout(BOUND, until_closed).await.unwrap_or_else(|_| panic!("{name} go on for ever"));
    }
}

#[tokio::test]
async fn one_client_cannot_hold_more_than_its_own() {
    let server = Server::start(Limits { connections_per_client: 2, ..unhurried() });
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect_from(&server, 2).await;
        stream.write_all(GET_SLOWLY).await.unwrap();
        server.endpoint.entered.notified().await;
        busy.push(stream);
    }
    is_closed(&mut connect_from(&server, 2).await).await;
    let mut neighbour = connect_from(&server, 3).await;
    neighbour.write_all(GET).await.unwrap();
    read_answer(&mut neighbour).await;
    // Once one of them is idle, it makes room for another of the same client.
    server.endpoint.go_on.notify_one();
    let mut idle = busy.remove(0);
    assert!(read_answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let mut newcomer = connect_from(&server, 2).await;
    newcomer.write_all(GET).await.unwrap();
    read_answer(&mut newcomer).await;
    is_closed(&mut idle).await;
    neighbour.write_all(GET).await.unwrap();
    read_answer(&mut neighbour).await;
}

#[tokio::test]
async fn a_listed_proxy_may_hold_any_number() {
    let limits = Limits { connections_per_client: 1, ..unhurried() };
    let server = Server::start_behind(limits, TrustedProxies::new(vec!["127.0.0.2".parse().unwrap()]));
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = connect_from(&server, 2).await;
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream).await;
        held.push(stream);
    }
    for stream in &mut held {
        stream.write_all(GET).await.unwrap();
        read_answer(stream).await;
    }
}

#[tokio::test]
async fn at_the_cap_the_connection_goes_that_has_been_idle_longest() {
    let server = Server::start(Limits { connections: 3, ..unhurried() });
    let mut held = Vec::new();
    for host in [2, 3] {
        let mut stream = connect_from(&server, host).await;
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream).await;
        held.push(stream);
    }
    let mut busy = connect_from(&server, 4).await;
    busy.write_all(GET_SLOWLY).await.unwrap();
    server.endpoint.entered.notified().await;
    // The first has been used since.
    held[0].write_all(GET).await.unwrap();
    read_answer(&mut held[0]).await;
    let mut newcomer = connect_from(&server, 5).await;
    newcomer.write_all(GET).await.unwrap();
    assert!(read_answer(&mut newcomer).await.starts_with("HTTP/1.1 200"));
    is_closed(&mut held[1]).await;
    held[0].write_all(GET).await.unwrap();
    read_answer(&mut held[0]).await;
    server.endpoint.go_on.notify_one();
    assert!(read_answer(&mut busy).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_are_served_while_others_hold_all_they_can() {
    const PLACES: usize = 200;
    let limits = Limits { connections: PLACES, connections_per_client: PLACES / 10, answer_timeout: SHORT * 4, ..unhurried() };
    let server = Server::start(limits);
    let before = p99_of_newcomers(&server).await;
    // Nine addresses hold what each may with answers they do not take, and a tenth opens one connection after another.
    let mut holding = Vec::new();
    for host in 2..11 {
        for _ in 0..PLACES / 10 {
            let mut stream = connect_from(&server, host).await;
            stream.write_all(&get_with_window(0)).await.unwrap();
            read_frame(&mut stream, HEADERS, 1).await;
            holding.push(tokio::spawn(ping_until_closed(stream)));
        }
    }
    let address = server.address;
    let opening = tokio::spawn(async move {
        let mut silent = std::collections::VecDeque::new();
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((Ipv4Addr::new(127, 0, 0, 11), 0).into()).unwrap();
            silent.push_back(socket.connect(address).await.unwrap());
            if silent.len() > PLACES {
                silent.pop_front();
            }
        }
    });
    let during = p99_of_newcomers(&server).await;
    opening.abort();
    // A busy machine's own jitter is no harm done by the flood.
    let floor = Duration::from_millis(20);
    assert!(during < 10 * before.max(floor), "{before:?} before, {during:?} during");
    for held in holding {
        tokio::time::timeout(BOUND, held).await.expect("every one of them is closed").unwrap();
    }
}
