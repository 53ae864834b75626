//! Pages of recent events: the shards of an index, each read from its newest end, merged.

use std::collections::VecDeque;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use futures_util::future::try_join_all;
use souk_domain::Timestamp;
use souk_ports::{ErrorKind, PortError, RecentPage, RecentQuery};

use super::position::Position;
use super::{
    AT, BY_FEED, BY_SELLER, BY_TYPE, EVENT, FEED, PRODUCT, RecentEvents, SELLER, TYPE, feed_name,
    seller_name, shards, type_name,
};
use crate::batch::Item;
use crate::error::port_error;

/// Reads that a page may cost, a megabyte each at most. A page of a filter that hardly anything passes ends there,
/// and says where the next one goes on.
const READS: usize = 24;
/// Fewest and most items asked for at once.
const CHUNK: (usize, usize) = (8, 1000);

/// What a query reads: keys of the table or of an index, and a condition on what else an event has.
struct Route {
    index: Option<&'static str>,
    attribute: &'static str,
    keys: Vec<String>,
    /// Attributes with how they have to begin.
    filters: Vec<(&'static str, String)>,
}

/// A key with what was read of it and not given yet, newest first.
struct Lane {
    key: String,
    read: VecDeque<(String, String)>,
    /// Everything before this text is still to be read.
    below: String,
    ended: bool,
}

impl RecentEvents {
    /// Reads a page, newest first.
    pub async fn page(&self, query: &RecentQuery, now: Timestamp) -> Result<RecentPage, PortError> {
        let cursor = query.cursor.as_deref().map(Position::from_cursor).transpose()?;
        let from = query.from.map_or(self.oldest(now), |from| from.max(self.oldest(now)));
        // After every event of the latest time that can be written.
        let to = query.to.map_or_else(|| "~".to_owned(), |to| to.to_string());
        let below = cursor.map(|cursor| cursor.to_string()).map_or_else(|| to.clone(), |c| c.min(to.clone()));
        let low = from.to_string();
        if query.limit == 0 || below <= low {
            return Ok(RecentPage::default());
        }
        let route = self.route(query).await?;
        let mut merge = Merge {
            lanes: route
                .keys
                .iter()
                .map(|key| Lane {
                    key: key.clone(),
                    read: VecDeque::new(),
                    below: below.clone(),
                    ended: false,
                })
                .collect(),
            found: Vec::new(),
            reads: 0,
        };
        while !merge.advance(query.limit) {
            let hungry: Vec<usize> = merge.hungry().collect();
            if merge.reads + hungry.len() > READS.max(merge.lanes.len()) {
                return merge.cut_short(query.limit);
            }
            merge.reads += hungry.len();
            let chunk = if route.filters.is_empty() {
                ((query.limit + 1 - merge.found.len()) / merge.lanes.len() + 1).clamp(CHUNK.0, CHUNK.1)
            } else {
                CHUNK.1
            };
            let reads = hungry.iter().map(|lane| self.read_lane(&route, &merge.lanes[*lane], &low, chunk));
            for (lane, (read, below)) in hungry.iter().zip(try_join_all(reads).await?) {
                let lane = &mut merge.lanes[*lane];
                lane.read.extend(read);
                lane.ended = below.is_none();
                lane.below = below.unwrap_or_default();
            }
        }
        merge.page(query.limit)
    }

    /// Chooses the narrowest way to the events that a query wants.
    async fn route(&self, query: &RecentQuery) -> Result<Route, PortError> {
        let seller = query.seller_id.as_ref().map(|seller| seller_name(seller.as_str()));
        let kind = query.event_type.map(type_name);
        let mut filters: Vec<(&'static str, String)> = Vec::new();
        if let Some(product) = query.product_id {
            filters.extend(seller.map(|name| (SELLER, format!("{name}#"))));
            filters.extend(kind.map(|name| (TYPE, format!("{name}#"))));
            return Ok(Route { index: None, attribute: PRODUCT, keys: vec![product.to_string()], filters });
        }
        let (index, attribute, name) = match (seller, kind) {
            (Some(seller), kind) => {
                filters.extend(kind.map(|name| (TYPE, format!("{name}#"))));
                (BY_SELLER, SELLER, seller)
            }
            (None, Some(kind)) => (BY_TYPE, TYPE, kind),
            (None, None) => (BY_FEED, FEED, feed_name()),
        };
        let number = shards::stored(self.table(), &name).await?;
        let keys = (0..number).map(|shard| format!("{name}#{shard}")).collect();
        Ok(Route { index: Some(index), attribute, keys, filters })
    }

    /// Reads the next events of a lane; returns them and the text below which more are to be read, if any.
    async fn read_lane(
        &self,
        route: &Route,
        lane: &Lane,
        low: &str,
        chunk: usize,
    ) -> Result<(Vec<(String, String)>, Option<String>), PortError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut request = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(route.index.map(str::to_owned))
            // An index cannot be read so; the table can.
            .consistent_read(route.index.is_none())
            .key_condition_expression("#key = :key AND #at BETWEEN :low AND :below")
            .expression_attribute_names("#key", route.attribute)
            .expression_attribute_names("#at", AT)
            .expression_attribute_names("#event", EVENT)
            .expression_attribute_values(":key", text(&lane.key))
            .expression_attribute_values(":low", text(low))
            .expression_attribute_values(":below", text(&lane.below))
            .projection_expression("#at, #event")
            .scan_index_forward(false)
            .limit(i32::try_from(chunk + 1).unwrap_or(i32::MAX));
        let mut conditions = Vec::new();
        for (number, (attribute, begins)) in route.filters.iter().enumerate() {
            conditions.push(format!("begins_with(#f{number}, :f{number})"));
            request = request
                .expression_attribute_names(format!("#f{number}"), *attribute)
                .expression_attribute_values(format!(":f{number}"), text(begins));
        }
        if !conditions.is_empty() {
            request = request.filter_expression(conditions.join(" AND "));
        }
        let output = request.send().await.map_err(|e| port_error(&self.name, e))?;
        let unreadable = || {
            PortError::new(
                ErrorKind::InvalidData,
                format!("table {} holds an item without an event", self.name),
            )
        };
        let part = |item: &Item, name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let mut read = Vec::new();
        for item in output.items() {
            let at = part(item, AT).ok_or_else(unreadable)?;
            // BETWEEN takes both of its ends.
            if at < lane.below {
                read.push((at, part(item, EVENT).ok_or_else(unreadable)?));
            }
        }
        let rest = output.last_evaluated_key().and_then(|key| part(key, AT));
        Ok((read, rest))
    }
}

/// Lanes on their way to a page.
struct Merge {
    lanes: Vec<Lane>,
    found: Vec<(String, String)>,
    reads: usize,
}

impl Merge {
    fn hungry(&self) -> impl Iterator<Item = usize> {
        let hungry = |lane: &Lane| lane.read.is_empty() && !lane.ended;
        self.lanes.iter().enumerate().filter(move |(_, lane)| hungry(lane)).map(|(number, _)| number)
    }

    /// Moves the newest events over until one more than `limit` is there, nothing is left (`true`), or a lane has
    /// to be read further.
    fn advance(&mut self, limit: usize) -> bool {
        loop {
            if self.found.len() > limit {
                return true;
            }
            if self.hungry().next().is_some() {
                return false;
            }
            let newest = self.lanes.iter_mut().max_by(|a, b| a.read.front().cmp(&b.read.front()));
            match newest.and_then(|lane| lane.read.pop_front()) {
                Some(event) => self.found.push(event),
                None => return true,
            }
        }
    }

    /// Returns the page; there is a next one when there was one event more than wanted.
    fn page(mut self, limit: usize) -> Result<RecentPage, PortError> {
        let more = self.found.len() > limit;
        self.found.truncate(limit);
        let next = match self.found.last() {
            Some((at, _)) if more => Some(cursor(at)?),
            _ => None,
        };
        Ok(RecentPage { items: self.found.into_iter().map(|(_, event)| Bytes::from(event)).collect(), next })
    }

    /// Returns what was found so far, and goes on below what every lane has been read to.
    fn cut_short(mut self, limit: usize) -> Result<RecentPage, PortError> {
        let bound = self.hungry().map(|lane| self.lanes[lane].below.clone()).max().unwrap_or_default();
        for lane in &mut self.lanes {
            while lane.read.front().is_some_and(|(at, _)| *at >= bound) {
                self.found.extend(lane.read.pop_front());
            }
        }
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        if self.found.len() > limit {
            return self.page(limit);
        }
        let items = self.found.into_iter().map(|(_, event)| Bytes::from(event)).collect();
        Ok(RecentPage { items, next: Some(cursor(&bound)?) })
    }
}

fn cursor(at: &str) -> Result<String, PortError> {
    Position::parse(at).map(|position| position.cursor()).ok_or_else(|| {
        PortError::new(ErrorKind::InvalidData, format!("an event is stored at \"{at}\", which is no place"))
    })
}
