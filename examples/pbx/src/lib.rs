#![doc = include_str!("../README.md")]

mod auth;
mod config;
mod event;
mod location;
mod pbx;
mod proxy;
mod registrar;
mod services;
mod ticket;

pub use config::ProxyConfig;
pub use event::PbxEvent;
pub use location::{Binding, LocationStore, MemoryStore};
pub use pbx::{Pbx, PbxBuilder, PbxEvents, PbxHandle, StartError};
pub use proxy::{Extension, Proxy};
pub use registrar::RegistrarLimits;
pub use services::{Prompt, PromptError, Service};
