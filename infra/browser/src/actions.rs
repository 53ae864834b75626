//! Pointer and keyboard, as WebDriver moves them: the browser takes them for real ones.

use serde_json::{Value, json};

use crate::driver::{Driver, Trouble};

/// Moves the pointer to a place in the window.
///
/// # Errors
/// When the browser refuses.
pub fn point(driver: &Driver, x: i64, y: i64) -> Result<(), Trouble> {
    pointer(driver, &[json!({"type": "pointerMove", "duration": 0, "x": x, "y": y})])
}

/// Moves the pointer to a place in the window and presses its button there.
///
/// # Errors
/// When the browser refuses.
pub fn click(driver: &Driver, x: i64, y: i64) -> Result<(), Trouble> {
    pointer(
        driver,
        &[
            json!({"type": "pointerMove", "duration": 0, "x": x, "y": y}),
            json!({"type": "pointerDown", "button": 0}),
            json!({"type": "pointerUp", "button": 0}),
        ],
    )
}

fn pointer(driver: &Driver, actions: &[Value]) -> Result<(), Trouble> {
    let mouse = json!({
        "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions
    });
    driver.command("POST", "/actions", &json!({"actions": [mouse]})).map(drop)
}

/// Presses and releases keys, one after the other; those that are no letters are named as in WebDriver §17.4.2.
///
/// # Errors
/// When the browser refuses.
pub fn press(driver: &Driver, keys: &str) -> Result<(), Trouble> {
    let actions: Vec<Value> = keys
        .chars()
        .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
        .collect();
    keyboard(driver, &actions)
}

/// Presses `key` while `held` is down.
///
/// # Errors
/// When the browser refuses.
pub fn chord(driver: &Driver, held: char, key: char) -> Result<(), Trouble> {
    keyboard(
        driver,
        &[
            json!({"type": "keyDown", "value": held}),
            json!({"type": "keyDown", "value": key}),
            json!({"type": "keyUp", "value": key}),
            json!({"type": "keyUp", "value": held}),
        ],
    )
}

fn keyboard(driver: &Driver, actions: &[Value]) -> Result<(), Trouble> {
    let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
    driver.command("POST", "/actions", &json!({"actions": [keyboard]})).map(drop)
}
