//! Pages of lists that can be long, with `page_size` and `page_token`: an addition, Confluent answers such lists whole
//! (docs/reference/rest-v3.md §2.2). Without the parameters they are whole here as well.
//!
//! A token is the name of the last resource of its page, so that what is created or deleted between two pages moves no other resource into
//! a page twice or past all pages.
//!
//! Without pages are lists whose order may be another at the next request (lags: the greatest first), those of one thing (the configs of a
//! topic, the members of a group), and ACLs: Kafka tells all that match, and the parameters of the search say how many that are.

use std::borrow::Cow;
use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use postern_proxy::run_large;
use serde::Serialize;

use super::links::Links;
use super::resource::Collection;
use crate::operation::{Query, number, text};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const PAGE_SIZE: Query =
    number("page_size", "How many are answered, from 1; all where neither parameter is given");
pub(super) const PAGE_TOKEN: Query =
    text("page_token", "Which page: as it stands in metadata.next of the page before it");

/// Of a page with a token and no size.
const DEFAULT_SIZE: usize = 100;
/// What a resource is in the answer, roughly.
const RESOURCE_BYTES: usize = 1000;

/// The page of a request; without either parameter it is the whole list.
pub(super) struct Page {
    size: Option<usize>,
    /// The key of the last resource of the page before.
    after: Option<String>,
    /// The rest of the query, for the next page.
    query: String,
}

/// What stands on a page.
pub(super) struct OnPage<T> {
    pub(super) items: Vec<T>,
    /// The key of the last one, where there are others behind it.
    last: Option<String>,
}

impl<T> OnPage<T> {
    /// The same place in the list, with other items on it.
    pub(super) fn with_items<U>(self, items: Vec<U>) -> OnPage<U> {
        OnPage { items, last: self.last }
    }
}

impl Page {
    pub(super) fn of(request: &RequestContext) -> Result<Page, Problem> {
        let size = request.query("page_size").map(|given| match given.trim().parse::<usize>() {
            Ok(size) if size > 0 => Ok(size),
            Ok(_) | Err(_) => Err(refused("page_size", "a whole number from 1", &given)),
        });
        let after = request.query("page_token").map(|given| {
            let key = BASE64_URL_SAFE_NO_PAD.decode(&*given).ok().and_then(|key| String::from_utf8(key).ok());
            key.ok_or_else(|| refused("page_token", "the one in metadata.next of the page before", &given))
        });
        let (size, after) = (size.transpose()?, after.transpose()?);
        let is_other = |pair: &&str| !["page_size", "page_token"].contains(&pair.split('=').next().unwrap_or_default());
        let query: Vec<&str> = request.head.uri.query().unwrap_or_default().split('&').filter(is_other).collect();
        let size = size.or(after.is_some().then_some(DEFAULT_SIZE));
        Ok(Page { size, after, query: query.join("&") })
    }

    /// The only one of a list that has no pages.
    pub(super) fn whole() -> Page {
        Page { size: None, after: None, query: String::new() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.size.is_none()
    }

    /// The key of the last resource of the page before; empty: there is none.
    pub(super) fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// Whether a resource with this key stands on this page or a later one.
    pub(super) fn is_behind(&self, key: &str) -> bool {
        key > self.after()
    }

    /// Whether `count` resources are too few to say whether another page comes after this one.
    pub(super) fn wants_more(&self, count: usize) -> bool {
        self.size.is_none_or(|size| count <= size)
    }

    /// Those of `items` that stand on this page. `items` are in the order of their keys.
    pub(super) fn cut<T>(&self, items: impl Iterator<Item = T>, key: impl Fn(&T) -> Cow<'_, str>) -> OnPage<T> {
        let Some(size) = self.size else { return OnPage { items: items.collect(), last: None } };
        let mut behind = items.skip_while(|item| self.after.as_ref().is_some_and(|after| *key(item) <= **after));
        let items: Vec<T> = behind.by_ref().take(size).collect();
        let last = behind.next().and_then(|_| items.last().map(|last| key(last).into_owned()));
        OnPage { items, last }
    }

    /// The answer: the list at `path`, or this page of it.
    pub(super) async fn reply<T, R: Serialize>(
        &self,
        links: &Links,
        (kind, path): (&'static str, impl Display),
        on_page: OnPage<T>,
        resource: impl FnMut(T) -> R,
    ) -> Reply {
        let OnPage { items, last } = on_page;
        let url = links.url(path);
        let next = last.map(|last| self.next(&url, &last));
        // The list of 10,000 topics is 9 MB.
        run_large(items.len() * RESOURCE_BYTES, || {
            Reply::ok(&Collection::new(kind, url, items.into_iter().map(resource)).with_next(next))
        })
        .await
    }

    fn next(&self, url: &str, last: &str) -> String {
        let others = if self.query.is_empty() { String::new() } else { format!("{}&", self.query) };
        let size = self.size.unwrap_or(DEFAULT_SIZE);
        format!("{url}?{others}page_size={size}&page_token={}", BASE64_URL_SAFE_NO_PAD.encode(last))
    }
}

/// The answer with a list that has no pages, and may be long all the same.
pub(super) async fn whole_list<T, R: Serialize>(
    links: &Links,
    kind: (&'static str, impl Display),
    items: impl Iterator<Item = T>,
    resource: impl FnMut(T) -> R,
) -> Reply {
    Page::whole().reply(links, kind, OnPage { items: items.collect(), last: None }, resource).await
}

/// A number as a part of a key: keys are compared as texts.
pub(super) fn in_key(number: i32) -> String {
    format!("{number:010}")
}

fn refused(name: &str, expected: &str, found: &str) -> Problem {
    let found: String = found.chars().take(60).collect();
    Problem::bad_request(format!("{name}: expected {expected}, found '{found}'."))
}
