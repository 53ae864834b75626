//! Creates, reads, changes and deletes a product, as any client does; nothing of it stays.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use souk_client::{Client, Target, delete, get, post, problem};
use uuid::Uuid;

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Crud {
    /// How long all of it took.
    pub took: Duration,
    /// The product, which is gone again.
    pub product: String,
}

/// Does it at `api`, with at most `patience` for each answer.
///
/// # Errors
/// A text with what did not work. What was created is deleted all the same, as far as the api answers.
pub async fn crud(api: &Target, patience: Duration) -> Result<Crud, String> {
    let began = Instant::now();
    let (mut client, mut request) = (Client::new(api.clone(), patience), Vec::new());
    // Sellers with this name are in nobody's figures.
    let seller = format!("souk-verify-{}", Uuid::now_v7().simple());
    let body = json!({"name": "souk migrate check", "price": 1.5, "stock": 0, "lowStockThreshold": 0,
        "category": "souk-verify", "sellerId": seller, "description": "made by `souk migrate check`, which removes it"});
    post(&mut request, api, "/products", &seller, body.to_string().as_bytes());
    let created = ask(&mut client, &request, "POST /products", 201).await?;
    let Some(id) = created["id"].as_str().map(str::to_owned) else {
        return Err("POST /products was answered without an id".to_owned());
    };
    let changed = change(&mut client, api, &id).await;
    delete(&mut request, api, &format!("/products/{id}"));
    let removed = ask(&mut client, &request, "DELETE", 204).await;
    changed?;
    removed?;
    get(&mut request, api, &format!("/products/{id}"));
    ask(&mut client, &request, "GET after DELETE", 404).await?;
    Ok(Crud { took: began.elapsed(), product: id })
}

/// Reads it, changes it, and reads the change.
async fn change(client: &mut Client, api: &Target, id: &str) -> Result<(), String> {
    let mut request = Vec::new();
    get(&mut request, api, &format!("/products/{id}"));
    let read = ask(client, &request, "GET", 200).await?;
    if read["price"] != 1.5 {
        return Err(format!("GET has the price {}, 1.5 was written", read["price"]));
    }
    let patch = patch(api, id, &json!({"price": 2.5}));
    ask(client, &patch, "PATCH", 200).await?;
    let read = ask(client, &request, "GET after PATCH", 200).await?;
    if read["price"] != 2.5 {
        return Err(format!("GET has the price {} after PATCH to 2.5", read["price"]));
    }
    Ok(())
}

fn patch(api: &Target, id: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "PATCH {}/products/{id} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/merge-patch+json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        api.path,
        api.authority,
        body.len()
    )
    .into_bytes()
}

async fn ask(client: &mut Client, request: &[u8], what: &str, wanted: u16) -> Result<Value, String> {
    let reply = client.send(request).await.map_err(|error| format!("{what}: {error}"))?;
    if reply.status != wanted {
        return Err(format!("{what} was answered {} {}", reply.status, problem(client.body())));
    }
    Ok(serde_json::from_slice(client.body()).unwrap_or_default())
}
