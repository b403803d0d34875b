//! Headless Chromium over the DevTools protocol: just what a person does with a page, and what passes its WebSockets.

use super::process::Process;
use super::{Outcome, Stage, find_program};
use core::time::Duration;
use futures_util::{SinkExt as _, StreamExt as _};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::process::Command;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// No command of the protocol takes so long on a machine that works.
const COMMAND: Duration = Duration::from_secs(90);

/// One tab.
pub(crate) struct Browser {
    _process: Process,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next_id: u64,
    /// Address of each WebSocket of the page, by the protocol's request ID.
    sockets: HashMap<String, String>,
    /// Binary frames that the page received, with the address of their WebSocket.
    frames: VecDeque<(String, Vec<u8>)>,
    /// What the page's scripts complained about.
    pub(crate) complaints: Vec<String>,
}

impl Browser {
    /// Starts Chromium with a window of this size; its microphone plays a WAV file over and over.
    pub(crate) async fn start(
        stage: &Stage,
        microphone: &Path,
        width: u32,
        height: u32,
    ) -> Result<Self, Failed> {
        let mut command = Command::new(find_program("chromium").ok_or("chromium is not installed")?);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args([
                "--disable-dev-shm-usage",
                "--mute-audio",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .args(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
            .args(["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"])
            .arg(format!("--use-file-for-fake-audio-capture={}", microphone.display()))
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", stage.folder("chromium").display()))
            .arg("about:blank");
        let mut process = Process::spawn(stage, "chromium", &mut command)?;
        let line = process.wait_for_line("DevTools listening on ", Duration::from_secs(60))?;
        let address = line.rsplit(' ').next().unwrap_or_default();
        let (socket, _) = timeout(COMMAND, tokio_tungstenite::connect_async(address)).await??;
        let mut browser = Self {
            _process: process,
            socket,
            session: None,
            next_id: 0,
            sockets: HashMap::new(),
            frames: VecDeque::new(),
            complaints: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await?;
        }
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size).await?;
        Ok(browser)
    }

    pub(crate) async fn open(&mut self, address: &str) -> Outcome {
        self.call("Page.navigate", json!({ "url": address })).await?;
        self.wait_until("document.readyState === 'complete'").await.map(|_| ())
    }

    /// The value of a JavaScript expression; a promise is awaited.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Result<Value, Failed> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters).await?;
        match answer.get("exceptionDetails") {
            Some(details) => {
                let text =
                    details.pointer("/exception/description").or_else(|| details.pointer("/exception/value"));
                Err(format!("{expression}: {}", text.unwrap_or(details)).into())
            }
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true; looks whenever the page changes. Gives its value.
    pub(crate) async fn wait_until(&mut self, expression: &str) -> Result<Value, Failed> {
        let watch = format!(
            "new Promise((resolve, reject) => {{
                const look = () => {{
                    let value = null;
                    try {{ value = ({expression}); }} catch {{ return; }}
                    if (!value) return;
                    watcher.disconnect();
                    clearTimeout(limit);
                    resolve(value);
                }};
                const watcher = new MutationObserver(look);
                const limit = setTimeout(() => {{
                    watcher.disconnect();
                    reject('not in 60 s; the page says: ' + document.body.innerText);
                }}, 60000);
                watcher.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
                addEventListener('load', look);
                look();
            }})"
        );
        self.evaluate(&watch).await
    }

    /// Presses and releases the mouse in the middle of an element.
    pub(crate) async fn click(&mut self, selector: &str) -> Outcome {
        let quoted = Value::from(selector).to_string();
        let place = self
            .evaluate(&format!(
                "(() => {{ const e = document.querySelector({quoted}); if (!e) return null;
                  e.scrollIntoView({{ block: 'nearest' }}); const b = e.getBoundingClientRect();
                  return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
            ))
            .await?;
        let (Some(x), Some(y)) = (place[0].as_f64(), place[1].as_f64()) else {
            return Err(format!("the page has no {selector}").into());
        };
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// The page as a PNG.
    pub(crate) async fn screenshot(&mut self) -> Result<Vec<u8>, Failed> {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        decode_base64(shot["data"].as_str().unwrap_or_default())
            .ok_or_else(|| "the picture is not base64".into())
    }

    /// The next binary frame that the page received on a WebSocket whose address has `part` in it.
    pub(crate) async fn next_frame(&mut self, part: &str, bound: Duration) -> Result<Vec<u8>, Failed> {
        let deadline = Instant::now() + bound;
        loop {
            while let Some((address, frame)) = self.frames.pop_front() {
                if address.contains(part) {
                    return Ok(frame);
                }
            }
            let waited = timeout_at(deadline, self.next_message()).await;
            let message =
                waited.map_err(|_| format!("no frame on a WebSocket with {part:?} in {bound:?}"))??;
            self.take_event(&message);
        }
    }

    pub(crate) fn forget_frames(&mut self) {
        self.frames.clear();
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Result<Value, Failed> {
        self.next_id += 1;
        let id = self.next_id;
        let mut request = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(request.to_string())).await?;
        let deadline = Instant::now() + COMMAND;
        loop {
            let waited = timeout_at(deadline, self.next_message()).await;
            let mut message = waited.map_err(|_| format!("Chromium did not answer {method}"))??;
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {error}").into()),
                    None => Ok(message["result"].take()),
                };
            }
            self.take_event(&message);
        }
    }

    async fn next_message(&mut self) -> Result<Value, Failed> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(format!("DevTools: {error}").into()),
                None => return Err("Chromium closed the DevTools connection".into()),
            }
        }
    }

    fn take_event(&mut self, event: &Value) {
        let parameters = &event["params"];
        let text = |pointer| parameters.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match event["method"].as_str().unwrap_or_default() {
            "Network.webSocketCreated" => {
                self.sockets.insert(text("/requestId").to_owned(), text("/url").to_owned());
            }
            // Opcode 2: binary; the protocol gives its payload as base64.
            "Network.webSocketFrameReceived" if parameters["response"]["opcode"] == 2.0 => {
                let address = self.sockets.get(text("/requestId")).cloned().unwrap_or_default();
                // A picture of the screen says nothing to these tests, and is large.
                if address.contains("/audio/")
                    && let Some(frame) = decode_base64(text("/response/payloadData"))
                {
                    self.frames.push_back((address, frame));
                }
            }
            "Runtime.exceptionThrown" => self.complaints.push(parameters["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
                self.complaints.push(parameters["args"].to_string());
            }
            _ => {}
        }
    }
}

/// Base64 of RFC 4648 section 4.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
