//! What the browser's page is served from, and sends its results to.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

pub struct Server {
    /// Where its page is.
    pub address: String,
    results: Receiver<String>,
}

impl Server {
    /// Serves `page`, and `texts` as JSON, until the process ends.
    pub fn new(page: &'static str, texts: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, results) = channel();
        let texts = Arc::new(texts);
        std::thread::spawn(move || {
            // Browsers keep connections open that they may never use.
            for stream in listener.incoming().flatten() {
                let (texts, sender) = (texts.clone(), sender.clone());
                std::thread::spawn(move || answer(stream, page, &texts, &sender));
            }
        });
        Self { address, results }
    }

    /// What the page sent, if it does so within `patience`.
    pub fn results(&self, patience: Duration) -> Option<String> {
        self.results.recv_timeout(patience).ok()
    }
}

/// Answers one request.
fn answer(stream: TcpStream, page: &str, texts: &str, results: &Sender<String>) -> Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut head = vec![];
    // Up to an empty line.
    while head.last().is_none_or(|line: &String| !line.trim().is_empty()) {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        head.push(line.to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    reader.read_exact(&mut body)?;
    let (kind, content) = match head[0].split(' ').nth(1) {
        Some("/texts") => ("application/json", texts),
        Some("/results") => {
            let _ = results.send(String::from_utf8(body).unwrap());
            ("text/plain", "")
        }
        _ => ("text/html", page),
    };
    let length = content.len();
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{content}"
    )
}
