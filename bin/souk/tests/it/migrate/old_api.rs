//! The old system's API as far as reads go: one table, one document for each row, prices as text.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio_postgres::{Client, NoTls};

/// As the monolith writes a row.
const DOCUMENT: &str = "json_build_object('id', id, 'sellerId', sellerid, 'name', name, 'description', description, \
     'price', price::text, 'quantity', quantity, 'category', category, 'createdAt', createdat::text, \
     'updatedAt', to_char(updatedat, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))::text";

/// A server that ends with the process.
pub struct OldApi {
    pub url: String,
    /// A key that it does not find.
    pub hidden: Arc<Mutex<String>>,
}

impl OldApi {
    pub fn start(runtime: &Handle, database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://127.0.0.1:{}", listener.local_addr().expect("it is bound").port());
        let hidden = Arc::new(Mutex::new(String::new()));
        let (runtime, database, hides) = (runtime.clone(), database.to_owned(), hidden.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (client, connection) =
                    runtime.block_on(tokio_postgres::connect(&database, NoTls)).expect("the shop's database");
                runtime.spawn(connection);
                let (runtime, hides) = (runtime.clone(), hides.clone());
                std::thread::spawn(move || serve(&runtime, &client, stream, &hides));
            }
        });
        Self { url, hidden }
    }
}

fn serve(runtime: &Handle, client: &Client, mut stream: TcpStream, hidden: &Mutex<String>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    loop {
        let mut path = None;
        for line in lines.by_ref() {
            let Ok(line) = line else { return };
            if line.is_empty() {
                break;
            }
            path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        }
        let Some(path) = path else { return };
        let body = match path.strip_prefix("/products/") {
            Some(key) if *key == **hidden.lock().expect("no holder panics") => None,
            Some(key) => {
                let sql = format!("SELECT {DOCUMENT} FROM products WHERE id::text = $1");
                let rows = runtime.block_on(client.query(&sql, &[&key])).expect("a read");
                rows.first().map(|row| row.get::<_, String>(0))
            }
            None => {
                let sql = format!("SELECT {DOCUMENT} FROM products ORDER BY createdat LIMIT 50");
                let rows = runtime.block_on(client.query(&sql, &[])).expect("a read");
                let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                Some(format!("[{}]", rows.join(",")))
            }
        };
        let (status, body) = match body {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", "{\"error\":\"Product not found\"}".to_owned()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}
