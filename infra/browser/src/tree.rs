//! Finds things in the accessibility tree: what a screen reader would find under that role and name.

use serde_json::{Value, json};

use crate::driver::{Driver, Trouble};

/// A thing on the page, as it was when it was found.
#[derive(Debug, Clone)]
pub struct Node {
    /// Chromium's number of the element.
    element: i64,
    /// Its accessible name.
    pub name: String,
    /// What an input holds.
    pub value: String,
}

/// Finds everything of that role and name; `…` at the end of a name stands for anything.
///
/// # Errors
/// When the page is being replaced.
pub fn find(driver: &Driver, role: &str, name: &str) -> Result<Vec<Node>, Trouble> {
    let document = driver.devtools("DOM.getDocument", &json!({"depth": 0}))?;
    let mut query = json!({"backendNodeId": document["root"]["backendNodeId"], "role": role});
    let beginning = name.strip_suffix('…');
    if beginning.is_none() {
        query["accessibleName"] = json!(name);
    }
    let found = driver.devtools("Accessibility.queryAXTree", &query)?;
    let nodes = found["nodes"].as_array().into_iter().flatten();
    // What is ignored is hidden, or behind a dialog.
    let nodes = nodes.filter(|node| node["ignored"] == false).filter_map(node_of);
    Ok(nodes.filter(|node| beginning.is_none_or(|beginning| node.name.starts_with(beginning))).collect())
}

/// Returns the thing that has the keyboard's focus.
///
/// # Errors
/// When the page is being replaced.
pub fn focused(driver: &Driver) -> Result<Option<Node>, Trouble> {
    let focused = driver.devtools("Runtime.evaluate", &json!({"expression": "document.activeElement"}))?;
    let query = json!({"objectId": focused["result"]["objectId"], "fetchRelatives": false});
    let found = driver.devtools("Accessibility.getPartialAXTree", &query)?;
    Ok(found["nodes"].get(0).and_then(node_of))
}

fn node_of(node: &Value) -> Option<Node> {
    let text = |field: &str| match &node[field]["value"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(Node { element: node["backendDOMNodeId"].as_i64()?, name: text("name"), value: text("value") })
}

impl Node {
    /// Calls a function with this element as `this`.
    ///
    /// # Errors
    /// When the element is gone, or the function throws.
    pub fn call(&self, driver: &Driver, function: &str, args: &[Value]) -> Result<Value, Trouble> {
        let object = driver.devtools("DOM.resolveNode", &json!({"backendNodeId": self.element}))?;
        let args: Vec<Value> = args.iter().map(|arg| json!({"value": arg})).collect();
        let call = json!({
            "objectId": object["object"]["objectId"], "functionDeclaration": function, "arguments": args,
            "returnByValue": true
        });
        let answer = driver.devtools("Runtime.callFunctionOn", &call)?;
        if answer["exceptionDetails"].is_null() {
            Ok(answer["result"]["value"].clone())
        } else {
            Err(answer["exceptionDetails"].to_string())
        }
    }

    /// Returns where a pointer hits it, once it stands still there; `None` while something is before it or it moves.
    ///
    /// # Errors
    /// When the element is gone.
    pub fn hit(&self, driver: &Driver) -> Result<Option<(i64, i64)>, Trouble> {
        driver.devtools("DOM.scrollIntoViewIfNeeded", &json!({"backendNodeId": self.element}))?;
        let spot = self.middle(driver)?;
        let hit = "function(x, y) { const at = document.elementFromPoint(x, y); \
                   return !this.disabled && (at === this || this.contains(at) || Boolean(at?.closest('label')?.contains(this))); }";
        let hits = self.call(driver, hit, &[json!(spot.0), json!(spot.1)])? == true;
        Ok((hits && self.middle(driver)? == spot).then_some(spot))
    }

    fn middle(&self, driver: &Driver) -> Result<(i64, i64), Trouble> {
        let rect = "function() { const r = this.getBoundingClientRect(); \
                    return [Math.round(r.x + r.width / 2), Math.round(r.y + r.height / 2)]; }";
        let middle = self.call(driver, rect, &[])?;
        match (middle[0].as_i64(), middle[1].as_i64()) {
            (Some(x), Some(y)) => Ok((x, y)),
            _ => Err(format!("it has no place: {middle}")),
        }
    }
}
