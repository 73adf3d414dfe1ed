//! What the court's items look like.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub contact_id: String,
    pub name: String,
    pub address1: String,
    pub city: &'static str,
    pub postal_code: String,
    pub phone: String,
    pub service_indicator: &'static str,
    pub is_address_sealed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    pub pk: String,
    pub sk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsi1pk: Option<String>,
    pub entity_name: &'static str,
    pub docket_number: String,
    pub sortable_docket_number: u64,
    pub case_caption: String,
    pub case_type: &'static str,
    pub status: &'static str,
    pub preferred_trial_city: &'static str,
    pub received_at: String,
    pub is_paper: bool,
    pub has_pending_items: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_for_ods: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_docket_number: Option<String>,
    pub irs_deficiency_amount: f64,
    pub petition_payment_amount: u32,
    #[serde(with = "serde_dynamo::string_set")]
    pub associated_judges: Vec<&'static str>,
    pub petitioners: Vec<Contact>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocketEntry {
    pub pk: String,
    pub sk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsi1pk: Option<String>,
    pub entity_name: &'static str,
    pub docket_entry_id: String,
    pub docket_number: String,
    pub index: u32,
    pub event_code: &'static str,
    pub document_type: &'static str,
    pub document_title: String,
    pub additional_info: Option<String>,
    pub filed_by: String,
    pub filing_date: String,
    pub number_of_pages: u32,
    pub file_size_in_kilobytes: f64,
    pub is_file_attached: bool,
    pub is_on_docket_record: bool,
    pub processing_status: &'static str,
    pub served_parties: Vec<ServedParty>,
    #[serde(with = "serde_dynamo::number_set")]
    pub related_entries: Vec<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedParty {
    pub name: String,
    pub service_indicator: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub pk: String,
    pub sk: String,
    pub gsi1pk: String,
    pub entity_name: &'static str,
    pub message_id: String,
    pub parent_message_id: String,
    pub docket_number: String,
    pub subject: String,
    pub message: String,
    pub from: String,
    pub from_section: &'static str,
    pub to: String,
    pub to_section: &'static str,
    pub created_at: String,
    pub is_replied_to: bool,
    pub attachments: Vec<Attachment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    pub document_id: String,
    pub document_title: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkItem {
    pub pk: String,
    pub sk: String,
    pub gsi1pk: String,
    pub entity_name: &'static str,
    pub work_item_id: String,
    pub docket_number: String,
    pub case_status: &'static str,
    pub section: &'static str,
    pub assignee_name: Option<String>,
    pub high_priority: bool,
    pub updated_at: String,
    pub docket_entry: WorkItemDocument,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkItemDocument {
    pub docket_entry_id: String,
    pub document_type: &'static str,
    pub document_title: String,
    pub filed_by: String,
    pub is_minute_entry: bool,
    pub index: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub pk: String,
    pub sk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsi1pk: Option<String>,
    pub entity_name: &'static str,
    pub user_id: String,
    pub role: &'static str,
    pub section: &'static str,
    pub login_count: u64,
    pub contact: Contact,
    #[serde(with = "serde_dynamo::string_set")]
    pub permissions: Vec<&'static str>,
    pub note: String,
}

/// Counsel of a case.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counsel {
    pub pk: String,
    pub sk: String,
    pub entity_name: &'static str,
    pub user_id: String,
    pub bar_number: String,
    pub service_indicator: &'static str,
    pub contact: Contact,
    pub representing: Vec<String>,
}

/// By whose name a practitioner is found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PractitionerName {
    pub pk: String,
    pub sk: String,
    pub entity_name: &'static str,
    pub firm: String,
    pub note: String,
}

/// What a judge notes about the cases of a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkingCopy {
    pub pk: String,
    pub sk: String,
    pub entity_name: &'static str,
    pub sort: &'static str,
    pub sort_order: &'static str,
    pub case_metadata: BTreeMap<String, CaseMetadata>,
    pub session_notes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseMetadata {
    pub trial_status: &'static str,
}

/// A user who belongs to the judges' section.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub pk: &'static str,
    pub sk: String,
    pub entity_name: &'static str,
    pub section: &'static str,
}
