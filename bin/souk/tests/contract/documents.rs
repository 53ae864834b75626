//! The documents: the same everywhere, locked, with examples that fit.

use serde_json::{Value, json};
use souk_contract_check::{Calls, Messages};

use crate::support::{Client, Souk, Start};
use crate::tools::printed;

/// Leaves out what each release changes.
fn without_version(mut document: Value) -> Value {
    document["info"]["version"] = json!("[version]");
    document
}

#[test]
fn every_service_serves_what_the_commands_print() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    let asyncapi = printed(&["asyncapi"]);
    for (mut client, service) in [
        (souk.api(), "api"),
        (souk.notifications(), "notifications"),
        (souk.analytics(), "analytics"),
        (souk.web(), "web"),
    ] {
        let served = client.get("/openapi.json");
        assert_eq!(served.status, 200);
        assert_eq!(served.json(), printed(&["openapi", "--service", service]), "{service}");
        assert_eq!(client.get("/asyncapi.json").json(), asyncapi, "{service}");
    }
    assert_eq!(souk.terminate().code(), Some(0));
    let souk = Start::new(folder.path()).monolith().start();
    let served = Client::new(souk.ports.api).get("/openapi.json").json();
    assert_eq!(served, printed(&["openapi", "--monolith"]));
}

/// Returns the ports of these servers, as a client takes them that was made from the document.
fn ports(servers: &Value) -> Vec<&str> {
    let servers = servers.as_array().into_iter().flatten();
    servers
        .map(|server| {
            assert_eq!(server["url"], "http://{host}:{port}", "{server}");
            assert_eq!(server["variables"]["host"]["default"], "localhost", "{server}");
            server["variables"]["port"]["default"].as_str().expect("a default is text")
        })
        .collect()
}

/// Returns the paths that name other servers than those that have them by default.
fn misplaced(document: &Value) -> Vec<String> {
    let services = [("api", "3000"), ("notifications", "3001"), ("web", "5173"), ("analytics", "8080")];
    let own = services.map(|(service, port)| (printed(&["openapi", "--service", service]), port));
    let paths = document["paths"].as_object().into_iter().flatten();
    let wrong = paths.filter(|(path, item)| {
        let having = own.iter().filter(|(document, _)| document["paths"].get(path.as_str()).is_some());
        having.map(|(_, port)| *port).collect::<Vec<_>>() != ports(&item["servers"])
    });
    wrong.map(|(path, _)| path.clone()).collect()
}

#[test]
fn each_path_of_all_services_names_the_ports_that_serve_it_by_default() {
    let mut all = printed(&["openapi"]);
    assert_eq!(ports(&all["servers"]), ["3000"], "for clients that do not look at the paths");
    assert_eq!(misplaced(&all), [""; 0]);
    assert_eq!(ports(&all["paths"]["/summary"]["servers"]), ["8080"]);
    assert_eq!(ports(&all["paths"]["/health"]["servers"]).len(), 4);
    all["paths"]["/summary"].as_object_mut().expect("a path").remove("servers");
    all["paths"]["/products"]["servers"] = all["paths"]["/config.json"]["servers"].clone();
    assert_eq!(misplaced(&all), ["/products", "/summary"], "what is misplaced is found");

    for args in [&["openapi", "--monolith"][..], &["openapi", "--service", "analytics"]] {
        let served = printed(args);
        assert_eq!(served["servers"][0]["url"], "/", "{args:?}");
        let mut paths = served["paths"].as_object().into_iter().flatten();
        assert!(paths.all(|(_, item)| item.get("servers").is_none()), "{args:?}");
    }
}

#[test]
fn every_service_says_where_its_contract_is() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    for mut client in [souk.api(), souk.notifications(), souk.analytics(), souk.web()] {
        let root = client.get("/").text();
        for place in ["/docs", "/openapi.json", "/asyncapi.json"] {
            assert!(root.contains(place), "{place} in {root}");
        }
        let page = client.get("/docs").text();
        let files: Vec<&str> = page.split('"').filter(|part| part.starts_with("docs/")).collect();
        assert_eq!(files.len(), 4, "{page}");
        for file in files {
            assert_eq!(client.get(&format!("/{file}")).status, 200, "{file}");
        }
    }
}

#[test]
fn openapi_is_as_it_was() {
    insta::with_settings!({sort_maps => true}, {
        insta::assert_json_snapshot!("openapi", without_version(printed(&["openapi"])));
    });
}

#[test]
fn asyncapi_is_as_it_was() {
    insta::with_settings!({sort_maps => true}, {
        insta::assert_json_snapshot!("asyncapi", without_version(printed(&["asyncapi"])));
    });
}

#[test]
fn every_example_fits_its_schema_and_none_is_missing() {
    assert_eq!(Calls::new(printed(&["openapi"])).example_faults(), [""; 0]);
    assert_eq!(Messages::new(printed(&["asyncapi"])).example_faults(), [""; 0]);
}

#[test]
fn an_example_that_does_not_fit_is_found() {
    let mut openapi = printed(&["openapi", "--service", "api"]);
    let example = "/paths/~1products/post/requestBody/content/application~1json/examples/least/value/price";
    *openapi.pointer_mut(example).expect("the example is there") = json!(0.000_01);
    let faults = Calls::new(openapi).example_faults();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let mut asyncapi = printed(&["asyncapi"]);
    asyncapi["components"]["messages"]["StreamGap"]["examples"][0]["payload"]["reason"] = json!("tired");
    assert_eq!(Messages::new(asyncapi).example_faults().len(), 1);
}

#[test]
fn the_schema_of_an_event_stands_for_itself() {
    for kind in ["ProductCreated", "ProductUpdated", "ProductDeleted", "LowStockWarning", "StockReplenished"]
    {
        let schema = printed(&["asyncapi", "--event", kind]);
        let example = &printed(&["asyncapi"])["components"]["messages"][kind]["examples"][0]["payload"];
        assert_eq!(souk_contract_check::document_faults(&schema, example), [""; 0], "{kind}");
        let mut other = example.clone();
        other["data"]["product"]["stock"] = json!(-1);
        assert_eq!(souk_contract_check::document_faults(&schema, &other).len(), 1, "{kind}");
    }
}
