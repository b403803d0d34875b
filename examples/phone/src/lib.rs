#![doc = include_str!("../README.md")]

pub mod audio;
pub mod cli;
pub mod config;
pub mod demo;
pub mod desk;
pub mod firmware;
pub mod headless;
pub mod models;
pub mod panel;
pub mod trace;
