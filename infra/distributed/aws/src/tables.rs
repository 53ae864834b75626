//! The two tables: made when absent, checked when there.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, IndexStatus, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType, TableDescription, TableStatus, TimeToLiveDescription,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::error::{code, connect_error};
use crate::{AwsConfig, ConnectError};

/// How long a table may take to be there: AWS makes one within half a minute.
const READY_TIMEOUT: Duration = Duration::from_secs(180);
/// Pause between two looks at a table that is being made.
const LOOK: Duration = Duration::from_millis(200);

/// The attribute that says when DynamoDB may remove an item.
pub(crate) const TTL: &str = "ttl";

/// What a table is made of. All keys are strings.
pub(crate) struct TableSpec {
    /// The setting that names it.
    pub setting: &'static str,
    pub hash: &'static str,
    pub range: &'static str,
    /// Indexes with their hash keys; all share the table's range key and hold whole items.
    pub indexes: &'static [(&'static str, &'static str)],
    /// Whether items expire.
    pub expires: bool,
}

/// What is there under a table's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableState {
    /// Nothing.
    Absent,
    /// A table with the keys and indexes that are needed.
    Fits,
    /// Another one; the text says what differs and what to do.
    Differs(String),
}

/// Looks at the tables without changing anything; returns each name with what is there.
///
/// # Errors
/// [`ConnectError`] when DynamoDB cannot be asked.
pub async fn check_tables(config: &AwsConfig) -> Result<Vec<(String, TableState)>, ConnectError> {
    let client = config.dynamo(&config.sdk().await?);
    let mut states = Vec::new();
    for (name, spec) in all(config) {
        let state = match describe(&client, name).await {
            Ok(Some(table)) => state_of(name, &spec, &table),
            Ok(None) => TableState::Absent,
            Err(error) => return Err(connect_error(&config.dynamo_place(), name, &error)),
        };
        states.push((name.to_owned(), state));
    }
    Ok(states)
}

fn all(config: &AwsConfig) -> [(&str, TableSpec); 2] {
    [(&config.recent_table, crate::recent::TABLE), (&config.aggregates_table, crate::aggregates::TABLE)]
}

/// Makes the tables usable: those that are absent are created when `create` says so.
pub(crate) async fn ensure(config: &AwsConfig, client: &Client, create: bool) -> Result<(), ConnectError> {
    if config.recent_table == config.aggregates_table {
        return Err(ConnectError::Refused(format!(
            "RECENT_EVENTS_TABLE_NAME and AGGREGATES_TABLE_NAME are both {}: give them different names",
            config.recent_table
        )));
    }
    for (name, spec) in all(config) {
        ensure_one(config, client, name, &spec, create).await?;
    }
    Ok(())
}

async fn ensure_one(
    config: &AwsConfig,
    client: &Client,
    name: &str,
    spec: &TableSpec,
    create: bool,
) -> Result<(), ConnectError> {
    let place = config.dynamo_place();
    let began = tokio::time::Instant::now();
    let mut created = false;
    loop {
        let found =
            describe(client, name).await.map_err(|e| connect_error(&place, &format!("table {name}"), &e))?;
        match found {
            None if !create => {
                return Err(ConnectError::Refused(format!(
                    "{place} has no table {name}: start `souk analytics` once, or correct {}",
                    spec.setting
                )));
            }
            None if !created => {
                make(client, name, spec).await.map_err(|message| {
                    ConnectError::Refused(format!("{place}: table {name} cannot be made: {message}"))
                })?;
                created = true;
            }
            // Being made, or not visible everywhere yet.
            None => {}
            Some(table) => {
                if let TableState::Differs(why) = state_of(name, spec, &table) {
                    return Err(ConnectError::Refused(format!("{place}: {why}")));
                }
                if is_ready(&table) {
                    break;
                }
            }
        }
        if began.elapsed() > READY_TIMEOUT {
            return Err(ConnectError::Unreachable(format!(
                "{place}: table {name} was not ready within {} s",
                READY_TIMEOUT.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
    if spec.expires && create {
        expire(client, name).await.map_err(|message| {
            ConnectError::Refused(format!(
                "{place}: expiry by {TTL} cannot be switched on for table {name}: {message}"
            ))
        })?;
    }
    Ok(())
}

async fn describe(
    client: &Client,
    name: &str,
) -> Result<Option<TableDescription>, SdkError<DescribeTableError>> {
    match client.describe_table().table_name(name).send().await {
        Ok(output) => Ok(output.table),
        Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_ready(table: &TableDescription) -> bool {
    let active = |status: Option<&IndexStatus>| status.is_none_or(|status| *status == IndexStatus::Active);
    matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating))
        && table.global_secondary_indexes().iter().all(|index| active(index.index_status()))
}

fn state_of(name: &str, spec: &TableSpec, table: &TableDescription) -> TableState {
    let keys = |schema: &[KeySchemaElement]| -> Vec<String> {
        schema.iter().map(|key| format!("{} ({})", key.attribute_name(), key.key_type())).collect()
    };
    let wanted = |hash: &str| vec![format!("{hash} (HASH)"), format!("{} (RANGE)", spec.range)];
    let remedy = format!(
        "another program made it, or an older one: name another by {}, or remove it when nobody needs it",
        spec.setting
    );
    let found = keys(table.key_schema());
    if found != wanted(spec.hash) {
        return TableState::Differs(format!(
            "table {name} has the keys {}, not {}; {remedy}",
            found.join(", "),
            wanted(spec.hash).join(", ")
        ));
    }
    for (index, hash) in spec.indexes {
        let fits = table
            .global_secondary_indexes()
            .iter()
            .any(|found| found.index_name() == Some(index) && keys(found.key_schema()) == wanted(hash));
        if !fits {
            return TableState::Differs(format!("table {name} has no index {index} over {hash}; {remedy}"));
        }
    }
    TableState::Fits
}

/// Makes the table; one that another process is making is as good.
async fn make(client: &Client, name: &str, spec: &TableSpec) -> Result<(), String> {
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("both are set")
    };
    let hashes = spec.indexes.iter().map(|(_, hash)| *hash);
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for attribute in [spec.hash, spec.range].into_iter().chain(hashes) {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("both are set");
        request = request.attribute_definitions(definition);
    }
    for (index, hash) in spec.indexes {
        let index = GlobalSecondaryIndex::builder()
            .index_name(*index)
            .key_schema(key(hash, KeyType::Hash))
            .key_schema(key(spec.range, KeyType::Range))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .expect("name and keys are set");
        request = request.global_secondary_indexes(index);
    }
    let made =
        request.key_schema(key(spec.hash, KeyType::Hash)).key_schema(key(spec.range, KeyType::Range)).send();
    match made.await {
        Ok(_) => {
            tracing::info!("made table {name}");
            Ok(())
        }
        Err(error) if code(&error) == Some("ResourceInUseException") => Ok(()),
        Err(error) => Err(aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()),
    }
}

/// Tells whether old recent events are removed; `None` when there is no table.
pub(crate) async fn expires(config: &AwsConfig) -> Result<Option<bool>, String> {
    let client = config.dynamo(&config.sdk().await.map_err(|error| error.to_string())?);
    match client.describe_time_to_live().table_name(&config.recent_table).send().await {
        Ok(described) => Ok(Some(described.time_to_live_description().is_some_and(is_on))),
        Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()),
    }
}

fn is_on(expiry: &TimeToLiveDescription) -> bool {
    expiry.attribute_name() == Some(TTL)
        && matches!(
            expiry.time_to_live_status(),
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        )
}

/// Lets DynamoDB remove items whose time has come.
async fn expire(client: &Client, name: &str) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let described = client
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .map_err(|e| text(&aws_sdk_dynamodb::error::DisplayErrorContext(e)))?;
    let is_on = described.time_to_live_description().is_some_and(|expiry| {
        matches!(expiry.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
    });
    if is_on {
        return Ok(());
    }
    let specification =
        TimeToLiveSpecification::builder().enabled(true).attribute_name(TTL).build().expect("both are set");
    match client.update_time_to_live().table_name(name).time_to_live_specification(specification).send().await
    {
        Ok(_) => Ok(()),
        // Another process was faster.
        Err(error)
            if code(&error) == Some("ValidationException")
                && text(&aws_sdk_dynamodb::error::DisplayErrorContext(&error))
                    .contains("already enabled") =>
        {
            Ok(())
        }
        Err(error) => Err(text(&aws_sdk_dynamodb::error::DisplayErrorContext(error))),
    }
}
