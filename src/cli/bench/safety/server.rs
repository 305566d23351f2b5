//! A server on this machine that answers as an attempt says, one connection at a time or many, and counts what is asked at once.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// `POST`.
    pub(super) method: String,
    /// The path with its query.
    pub(super) target: String,
    /// The headers, one a line, names in lower case.
    pub(super) headers: String,
    /// How many are asked at this moment, this one included.
    pub(super) at_once: usize,
}

/// Status, more headers, body.
pub(super) type Answer = (u16, String, String);

/// Serves until the runtime ends; gives the address.
pub(super) async fn serve<A, F>(answer: A) -> io::Result<String>
where
    A: Fn(Asked) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let (answer, busy) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, busy) = (Arc::clone(&answer), Arc::clone(&busy));
            tokio::spawn(async move {
                // Whoever goes away needs no answer.
                connection(stream, answer.as_ref(), &busy).await.ok();
            });
        }
    });
    Ok(address)
}

async fn connection<A, F>(stream: TcpStream, answer: &A, busy: &AtomicUsize) -> io::Result<()>
where
    A: Fn(Asked) -> F,
    F: Future<Output = Answer>,
{
    let mut stream = BufReader::new(stream);
    while let Some(mut asked) = request(&mut stream).await? {
        asked.at_once = busy.fetch_add(1, Ordering::SeqCst) + 1;
        let (status, headers, body) = answer(asked).await;
        // Others get their turn while this one is answered.
        tokio::task::yield_now().await;
        busy.fetch_sub(1, Ordering::SeqCst);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let name = name.to_lowercase();
        if name == "content-length" {
            length = value.trim().parse().unwrap_or(0);
        }
        headers.push_str(&format!("{name}:{value}\n"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        at_once: 0,
    }))
}
