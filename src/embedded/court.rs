//! The ordinary items of an imagined court, in ef-cms's single-table shape: 600 to 1,200 bytes of DynamoDB JSON each.

mod shapes;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::seed::TypedItem;
use shapes::{
    Attachment, Case, CaseMetadata, Contact, Counsel, DocketEntry, Member, Message, PractitionerName, ServedParty,
    User, WorkItem, WorkItemDocument, WorkingCopy,
};

const GIVEN_NAMES: &[&str] = &["Ada", "Grace", "Ignacio", "Zoë", "Thelonious", "Mei", "Siobhán", "Kwame", "Ruth"];
const FAMILY_NAMES: &[&str] = &["Lovelace", "Hopper", "Núñez", "O'Brien", "Monk", "Ginsburg", "Ōtani", "Mensah"];
const CITIES: &[&str] = &["Birmingham, Alabama", "Mobile, Alabama", "Phoenix, Arizona", "Seattle, Washington"];
const CASE_TYPES: &[&str] = &["Deficiency", "CDP (Lien/Levy)", "Innocent Spouse", "Passport", "Whistleblower"];
const STATUSES: &[&str] = &["New", "General Docket - Not at Issue", "Calendared", "Closed", "On Appeal"];
const SECTIONS: &[&str] = &["docket", "petitions", "chambers", "trialClerks", "adc"];
const SERVICES: &[&str] = &["Electronic", "Paper", "None"];
const DOCUMENTS: &[(&str, &str)] = &[
    ("A", "Answer"),
    ("O", "Order"),
    ("MISC", "Miscellaneous"),
    ("M006", "Motion for Continuance"),
    ("OSC", "Order to Show Cause"),
];
const WORDS: &[&str] = &[
    "petitioner",
    "respondent",
    "hereby",
    "moves",
    "the",
    "Court",
    "for",
    "leave",
    "to",
    "file",
    "an",
    "amended",
    "petition",
    "pursuant",
    "Rule",
    "41(a)",
    "§ 6213",
    "deficiency",
    "determined",
    "notice",
    "dated",
    "and",
];

/// Opens cases one after the other and files into the newest.
#[derive(Default)]
pub(super) struct Court {
    cases: u32,
    /// The newest user, until it has joined a section.
    user: Option<String>,
    /// Docket entries of the newest case.
    entries: u32,
}

impl Court {
    /// The next item: of a hundred about 10 cases, 50 docket entries, 12 messages, 12 work items, 8 users, 4 counsel, 2
    /// working copies, a practitioner's name and a member of a section.
    pub(super) fn next_item(&mut self, rng: &mut StdRng) -> TypedItem {
        let dice = rng.random_range(0..100);
        let item = match dice {
            _ if self.cases == 0 => serde_dynamo::to_item(self.case(rng)),
            0..10 => serde_dynamo::to_item(self.case(rng)),
            10..60 => serde_dynamo::to_item(self.docket_entry(rng)),
            60..72 => serde_dynamo::to_item(self.message(rng)),
            72..84 => serde_dynamo::to_item(self.work_item(rng)),
            84..88 => serde_dynamo::to_item(self.counsel(rng)),
            88..90 => serde_dynamo::to_item(self.working_copy(rng)),
            90 => serde_dynamo::to_item(practitioner_name(rng)),
            91 if self.user.is_some() => serde_dynamo::to_item(self.member()),
            _ => serde_dynamo::to_item(self.user(rng)),
        };
        item.expect("plain structures always have an item form")
    }

    fn docket_number(&self) -> String {
        format!("{}-{:02}", 100 + self.cases, 15 + self.cases % 10)
    }

    fn partition(&self) -> String {
        format!("case|{}", self.docket_number())
    }

    fn case(&mut self, rng: &mut StdRng) -> Case {
        self.cases += 1;
        self.entries = 0;
        let petitioner = contact(rng);
        let mut petitioners = vec![petitioner];
        if rng.random_bool(0.2) {
            petitioners.push(contact(rng));
        }
        let leads = rng.random_bool(0.1);
        Case {
            pk: self.partition(),
            sk: self.partition(),
            gsi1pk: leads.then(|| format!("leadCase|{}", self.docket_number())),
            entity_name: "Case",
            docket_number: self.docket_number(),
            sortable_docket_number: 2_015_000_000 + u64::from(self.cases),
            case_caption: format!("{}, Petitioner", petitioners[0].name),
            case_type: pick(rng, CASE_TYPES),
            status: pick(rng, STATUSES),
            preferred_trial_city: pick(rng, CITIES),
            received_at: date(rng),
            is_paper: rng.random(),
            has_pending_items: rng.random(),
            order_for_ods: rng.random_bool(0.3).then_some(true),
            lead_docket_number: leads.then(|| self.docket_number()),
            irs_deficiency_amount: f64::from(rng.random_range(0..100_000_000)) / 100.0,
            petition_payment_amount: 60,
            associated_judges: vec!["Chief Judge", pick(rng, FAMILY_NAMES)],
            petitioners,
        }
    }

    fn docket_entry(&mut self, rng: &mut StdRng) -> DocketEntry {
        self.entries += 1;
        let id = uuid(rng);
        let (event_code, document_type) = pick(rng, DOCUMENTS);
        let served = rng.random_range(1..3);
        DocketEntry {
            pk: self.partition(),
            sk: format!("docket-entry|{id}"),
            gsi1pk: rng.random_bool(0.3).then(|| format!("pending|{id}")),
            entity_name: "DocketEntry",
            docket_entry_id: id,
            docket_number: self.docket_number(),
            index: self.entries,
            event_code,
            document_type,
            document_title: format!("{document_type}: {}", words(rng, 8)),
            additional_info: rng.random_bool(0.5).then(|| words(rng, 6)),
            filed_by: format!("Petr. {}", person(rng)),
            filing_date: date(rng),
            number_of_pages: rng.random_range(1..200),
            file_size_in_kilobytes: f64::from(rng.random_range(100..90_000)) / 10.0,
            is_file_attached: rng.random(),
            is_on_docket_record: true,
            processing_status: "complete",
            served_parties: (0..served)
                .map(|_| ServedParty { name: person(rng), service_indicator: pick(rng, SERVICES) })
                .collect(),
            related_entries: (1..=self.entries.min(4)).collect(),
        }
    }

    fn message(&self, rng: &mut StdRng) -> Message {
        let id = uuid(rng);
        let parent = if rng.random() { id.clone() } else { uuid(rng) };
        Message {
            pk: self.partition(),
            sk: format!("message|{id}"),
            gsi1pk: format!("message|{parent}"),
            entity_name: "Message",
            message_id: id,
            parent_message_id: parent,
            docket_number: self.docket_number(),
            subject: words(rng, 5),
            message: words(rng, 24),
            from: person(rng),
            from_section: pick(rng, SECTIONS),
            to: person(rng),
            to_section: pick(rng, SECTIONS),
            created_at: date(rng),
            is_replied_to: rng.random(),
            attachments: (0..rng.random_range(0..2))
                .map(|_| Attachment { document_id: uuid(rng), document_title: pick(rng, DOCUMENTS).1 })
                .collect(),
        }
    }

    fn work_item(&self, rng: &mut StdRng) -> WorkItem {
        let id = uuid(rng);
        WorkItem {
            pk: self.partition(),
            sk: format!("work-item|{id}"),
            gsi1pk: format!("work-item|{id}"),
            entity_name: "WorkItem",
            work_item_id: id,
            docket_number: self.docket_number(),
            case_status: pick(rng, STATUSES),
            section: pick(rng, SECTIONS),
            assignee_name: rng.random_bool(0.6).then(|| person(rng)),
            high_priority: rng.random_bool(0.1),
            updated_at: date(rng),
            docket_entry: WorkItemDocument {
                docket_entry_id: uuid(rng),
                document_type: pick(rng, DOCUMENTS).1,
                document_title: words(rng, 10),
                filed_by: person(rng),
                is_minute_entry: rng.random(),
                index: self.entries,
            },
        }
    }

    fn counsel(&self, rng: &mut StdRng) -> Counsel {
        let id = uuid(rng);
        let (kind, entity_name) =
            pick(rng, &[("privatePractitioner", "PrivatePractitioner"), ("irsPractitioner", "IrsPractitioner")]);
        Counsel {
            pk: self.partition(),
            sk: format!("{kind}|{id}"),
            entity_name,
            user_id: id,
            bar_number: format!("PT{:04}", rng.random_range(0..10_000)),
            service_indicator: pick(rng, SERVICES),
            contact: contact(rng),
            representing: (0..3).map(|_| uuid(rng)).collect(),
        }
    }

    fn working_copy(&self, rng: &mut StdRng) -> WorkingCopy {
        let statuses = &["Set for Trial", "Dismissed", "Continued", "A Basis Reached"];
        let mut metadata = || CaseMetadata { trial_status: pick(rng, statuses) };
        let case_metadata = (0..8).map(|number| (format!("{}-20", self.cases + number), metadata())).collect();
        WorkingCopy {
            pk: format!("trial-session-working-copy|{}", uuid(rng)),
            sk: format!("user|{}", uuid(rng)),
            entity_name: "TrialSessionWorkingCopy",
            sort: "docket",
            sort_order: "asc",
            case_metadata,
            session_notes: words(rng, 25),
        }
    }

    fn user(&mut self, rng: &mut StdRng) -> User {
        let id = uuid(rng);
        let user = User {
            pk: format!("user|{id}"),
            sk: format!("user|{id}"),
            gsi1pk: rng.random_bool(0.2).then(|| format!("section|{}", pick(rng, SECTIONS))),
            entity_name: "User",
            user_id: id,
            role: pick(rng, &["petitioner", "privatePractitioner", "docketclerk", "judge"]),
            section: pick(rng, SECTIONS),
            login_count: rng.random_range(0..5_000),
            contact: contact(rng),
            permissions: vec!["CREATE_MESSAGE", "GET_CASE", "UPLOAD_DOCUMENT"],
            note: words(rng, 8),
        };
        self.user = Some(user.pk.clone());
        user
    }

    fn member(&mut self) -> Member {
        let sk = self.user.take().unwrap_or_default();
        Member { pk: "section|judge", sk, entity_name: "SectionMember", section: "judge" }
    }
}

fn practitioner_name(rng: &mut StdRng) -> PractitionerName {
    PractitionerName {
        pk: format!("practitioner|{}", pick(rng, FAMILY_NAMES).to_lowercase()),
        sk: format!("user|{}", uuid(rng)),
        entity_name: "PractitionerName",
        firm: format!("{} & Partners", person(rng)),
        note: words(rng, 40),
    }
}

fn contact(rng: &mut StdRng) -> Contact {
    Contact {
        contact_id: uuid(rng),
        name: person(rng),
        address1: format!("{} \"Old\" Mill Rd.", rng.random_range(1..9_999)),
        city: pick(rng, CITIES),
        postal_code: format!("{:05}", rng.random_range(0..100_000)),
        phone: format!("+1 (555) {:07}", rng.random_range(0..10_000_000)),
        service_indicator: pick(rng, SERVICES),
        is_address_sealed: rng.random_bool(0.05),
        email: rng.random_bool(0.7).then(|| format!("party{}@example.com", rng.random_range(0..1_000_000))),
    }
}

fn pick<T: Copy>(rng: &mut StdRng, choices: &[T]) -> T {
    *choices.choose(rng).expect("the lists above are not empty")
}

fn person(rng: &mut StdRng) -> String {
    format!("{} {}", pick(rng, GIVEN_NAMES), pick(rng, FAMILY_NAMES))
}

fn words(rng: &mut StdRng, count: usize) -> String {
    (0..count).map(|_| pick(rng, WORDS)).collect::<Vec<_>>().join(" ")
}

fn date(rng: &mut StdRng) -> String {
    let (month, day, hour) = (rng.random_range(1..13), rng.random_range(1..29), rng.random_range(0..24));
    format!("{}-{month:02}-{day:02}T{hour:02}:15:27.386Z", rng.random_range(2015..2026))
}

/// A random UUID of version 4.
fn uuid(rng: &mut StdRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
