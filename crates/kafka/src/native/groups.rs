//! Groups of any protocol. librdkafka's newer call describes groups of consumers only and refuses others; its older one tells
//! of all.

use std::{ptr, time::Duration};

use rdkafka::bindings as c;

use super::{Client, raw};
use crate::{Error, GroupMembers, error::Code, settings::millis};

impl Client {
    /// The members of a group; `None`: no broker knows it. Blocks.
    pub(crate) fn group_members(&self, group: &str, timeout: Duration) -> Result<Option<GroupMembers>, Error> {
        let name = raw::c_string(group)?;
        let mut list = ptr::null();
        // SAFETY: the client is live; the answer, where there is one, is ours.
        let code =
            Code(unsafe { raw::rd_kafka_list_groups(self.raw(), name.as_ptr(), &raw mut list, millis(timeout)) });
        let list = List(list);
        if code != Code::NONE {
            return Err(code.error(None));
        }
        let Some(found) = list.groups().first() else { return Ok(None) };
        // SAFETY: the fields belong to a list that is alive.
        let (code, protocol_type) = unsafe { (raw::code_at(&raw const found.err), raw::text(found.protocol_type)) };
        if code != Code::NONE {
            return Err(code.error(None));
        }
        let members = usize::try_from(found.member_cnt).unwrap_or(0);
        Ok(Some(GroupMembers { protocol_type: protocol_type.unwrap_or_default(), members }))
    }
}

struct List(*const c::rd_kafka_group_list);

impl List {
    fn groups(&self) -> &[c::rd_kafka_group_info] {
        if self.0.is_null() {
            return &[];
        }
        // SAFETY: not null, so an answer; the array is as long as it says and lives as long as the list. The codes in it are
        // only read through `raw::code_at`.
        unsafe { raw::slice((*self.0).groups.cast_const(), usize::try_from((*self.0).group_cnt).unwrap_or(0)) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours, and not used afterwards.
            unsafe { c::rd_kafka_group_list_destroy(self.0) };
        }
    }
}
