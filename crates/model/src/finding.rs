//! Judgements: the one type that feeds every output.

use crate::{Packet, Span, Text};
use std::fmt;

/// How bad a finding is, from worst to harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Payments fail, or anybody can get in.
    Critical,
    /// A boundary is open or a flow is broken in part.
    High,
    /// Weakens the boundary or its evidence.
    Medium,
    /// Should be tidied up.
    Low,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// All severities, worst first.
    pub const ALL: [Severity; 5] =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

    /// The word used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == text)
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// Follows from the files for every reading of what is not modelled.
    Proved,
    /// Was seen.
    Observed,
    /// Holds for some readings of what is not modelled, or of what nobody can check here.
    Possible,
}

impl Proof {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Proof::Proved => "proved",
            Proof::Observed => "observed",
            Proof::Possible => "possible",
        }
    }
}

/// Who must act on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Acts {
    /// Whoever runs the firewall.
    FirewallAdmin,
    /// The shop.
    Shop,
    /// The internet provider.
    Provider,
    /// The terminal's vendor.
    Vendor,
}

impl Acts {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Acts::FirewallAdmin => "firewall-admin",
            Acts::Shop => "shop",
            Acts::Provider => "provider",
            Acts::Vendor => "vendor",
        }
    }
}

macro_rules! finding_ids {
    ($($variant:ident $id:literal $severity:ident $acts:ident [$($reference:literal),*] $doc:literal;)*) => {
        /// Stable ids of findings (design section 9). New ones may come; none changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingId {
            $(#[doc = $doc] $variant,)*
        }

        impl FindingId {
            /// Every id.
            pub const ALL: &'static [FindingId] = &[$(FindingId::$variant),*];

            /// The id as written in JSON.
            pub fn name(self) -> &'static str {
                match self { $(FindingId::$variant => $id,)* }
            }

            /// The documented default severity.
            pub fn severity(self) -> Severity {
                match self { $(FindingId::$variant => Severity::$severity,)* }
            }

            /// Who usually has to act.
            pub fn acts(self) -> Acts {
                match self { $(FindingId::$variant => Acts::$acts,)* }
            }

            /// PCI DSS 4.0.1 requirements it bears on.
            pub fn references(self) -> &'static [&'static str] {
                match self { $(FindingId::$variant => &[$($reference),*],)* }
            }
        }
    };
}

finding_ids! {
    FlowBlocked "flow-blocked" Critical FirewallAdmin ["pci-dss-4.0.1/1.3.2"] "A needed flow is not permitted at all.";
    FlowPartlyBlocked "flow-partly-blocked" High FirewallAdmin ["pci-dss-4.0.1/1.3.2"] "A part of a needed flow is not permitted.";
    ReplyNotPermitted "reply-not-permitted" Critical FirewallAdmin ["pci-dss-4.0.1/1.4.2"] "A flow is permitted, its answers are not.";
    InboundFromInternet "inbound-from-internet" Critical FirewallAdmin ["pci-dss-4.0.1/1.3.1", "pci-dss-4.0.1/1.4.2"] "Something can come in from the internet.";
    ManagementExposed "management-exposed" Critical FirewallAdmin ["pci-dss-4.0.1/1.2.8", "pci-dss-4.0.1/2.2.4"] "The firewall can be managed from addresses that are not authorised.";
    SegmentExposed "segment-exposed" High FirewallAdmin ["pci-dss-4.0.1/1.3.1", "pci-dss-4.0.1/1.3.2", "pci-dss-4.0.1/1.4.1"] "Another segment reaches the terminals, or they reach it.";
    RuleAnyAny "rule-any-any" High FirewallAdmin ["pci-dss-4.0.1/1.2.5", "pci-dss-4.0.1/1.3.2"] "A rule permits any service to any destination.";
    SourceTooWide "source-too-wide" Medium FirewallAdmin ["pci-dss-4.0.1/1.3.2"] "A permitted service is open to more sources than the declared devices.";
    ExcessPermit "excess-permit" High FirewallAdmin ["pci-dss-4.0.1/1.2.5", "pci-dss-4.0.1/1.3.2"] "Something is permitted that no flow asks for.";
    RuleShadowed "rule-shadowed" Medium FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "A rule can never match, because earlier rules take all its packets.";
    RuleRedundant "rule-redundant" Low FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "A rule changes nothing.";
    RuleConflicting "rule-conflicting" Medium FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "A rule contradicts an earlier one for a part of its packets.";
    RuleUnused "rule-unused" Low FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "Nothing ever used a rule.";
    RuleDisabled "rule-disabled" Low FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "A rule is switched off.";
    RuleExpired "rule-expired" Low FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "A rule has passed its date.";
    ObjectUnused "object-unused" Low FirewallAdmin ["pci-dss-4.0.1/1.2.7"] "An object is used by no rule.";
    DenyNotLogged "deny-not-logged" Medium FirewallAdmin ["pci-dss-4.0.1/10.2.1"] "Denied packets leave no trace in a log.";
    AntiSpoofingMissing "anti-spoofing-missing" Medium FirewallAdmin ["pci-dss-4.0.1/1.4.3"] "Packets with a forged source address are permitted.";
    NatMissing "nat-missing" High FirewallAdmin [] "The estate asks for address translation on an uplink and the configuration has none.";
    InspectionOfPos "inspection-of-pos" High FirewallAdmin ["pci-dss-4.0.1/4.2.1"] "The firewall breaks into the terminals' encrypted connections.";
    InsecureService "insecure-service" Medium FirewallAdmin ["pci-dss-4.0.1/1.2.6"] "An insecure service is permitted.";
    CleartextManagement "cleartext-management" High FirewallAdmin ["pci-dss-4.0.1/2.2.7"] "The firewall can be managed over an unencrypted protocol.";
    CannotExpress "cannot-express" Medium FirewallAdmin [] "The platform cannot say what the intent asks for.";
    NotModelled "not-modelled" Low FirewallAdmin [] "A statement the analysis does not model; it counts as able to do anything.";
    AddressNotFixed "address-not-fixed" High Shop ["pci-dss-4.0.1/1.2.5"] "A device has no fixed address, so no rule can be made for it.";
    RequirementStale "requirement-stale" Info Vendor ["pci-dss-4.0.1/1.2.7"] "A requirement's source has not been checked for 90 days.";
    RequirementDisputed "requirement-disputed" Info Vendor [] "A requirement is on whose need is disputed.";
    ExceptionExpired "exception-expired" Medium Shop ["pci-dss-4.0.1/1.2.7"] "An exception has passed its date.";
    DeviceEndOfSupport "device-end-of-support" Medium Vendor ["pci-dss-4.0.1/12.3.4"] "The vendor has ended support for a device.";
    DnsFailed "dns-failed" Critical FirewallAdmin [] "A resolver the terminals need does not answer, or lies.";
    PortUnreachable "port-unreachable" Critical FirewallAdmin ["pci-dss-4.0.1/1.3.2"] "A needed service is not reached.";
    TlsFailed "tls-failed" Critical Provider ["pci-dss-4.0.1/4.2.1"] "A needed service is reached, and no secured connection comes about.";
    TlsIntercepted "tls-intercepted" Critical FirewallAdmin ["pci-dss-4.0.1/4.2.1"] "Somebody on the way breaks the terminals' encrypted connections open.";
    TlsWeak "tls-weak" Medium Provider ["pci-dss-4.0.1/4.2.1"] "Encryption is weaker than it should be.";
    CertificateExpiring "certificate-expiring" Medium Provider ["pci-dss-4.0.1/4.2.1.1"] "A certificate ends soon.";
    HttpFailed "http-failed" High FirewallAdmin [] "A page that is needed does not come.";
    NtpUnreachable "ntp-unreachable" Critical FirewallAdmin ["pci-dss-4.0.1/10.6.1"] "A time server that is needed gives no usable time.";
    ClockOff "clock-off" High Shop ["pci-dss-4.0.1/10.6.1"] "A clock is wrong.";
    SipFailed "sip-failed" Medium FirewallAdmin [] "Voice signalling is not reached, or rewritten on the way.";
    PortConflict "port-conflict" High Shop [] "Another program holds a port that a payment application needs.";
    SegmentReachable "segment-reachable" High FirewallAdmin ["pci-dss-4.0.1/11.4.5", "pci-dss-4.0.1/1.3.2"] "Something reaches the terminals' segment, or leaves it, that must not.";
    PathMtu "path-mtu" High Provider [] "Large packets vanish on the way.";
    LatencyHigh "latency-high" Medium Provider [] "Answers are slow or get lost.";
    CaptivePortal "captive-portal" High Shop [] "A sign-in page stands between the terminals and the internet.";
    OptionalUnreachable "optional-unreachable" Info Shop [] "Something that is allowed and not needed was not reached.";
    PortOpenUnexpected "port-open-unexpected" High Shop ["pci-dss-4.0.1/2.2.4", "pci-dss-4.0.1/1.2.5"] "A device offers a service that nothing asks for.";
    DeviceUnknown "device-unknown" High Shop ["pci-dss-4.0.1/12.5.1", "pci-dss-4.0.1/1.2.5"] "A device stands in the terminals' segment that the estate does not know.";
    DeviceMissing "device-missing" Low Shop ["pci-dss-4.0.1/12.5.1"] "A declared device was not seen.";
    DeviceMisplaced "device-misplaced" High Shop ["pci-dss-4.0.1/12.5.1", "pci-dss-4.0.1/1.3.2"] "A device stands in another segment, or at another address, than the estate says.";
    ScanIncomplete "scan-incomplete" High Shop ["pci-dss-4.0.1/12.5.1"] "A scan could not see everything it looked for, so what it did not see may be there.";
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a finding is about; empty fields do not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Device name.
    pub device: Option<String>,
    /// Requirement or local flow id.
    pub requirement: Option<String>,
    /// Segment name.
    pub segment: Option<String>,
    /// The other end: a segment name, `internet` or `firewall`.
    pub peer: Option<String>,
}

/// What carries a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A packet that shows it.
    Packet(Packet),
    /// A line of a configuration, as `(span, its text on one line)`.
    Rule(Span),
    /// A set of packets as ranges per field, in display form.
    Box(Box_),
}

/// A set of packets as a list of ranges per field, for display: `{"source": ["10.17.20.0/24"], …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Box_ {
    /// Field name and its ranges.
    pub fields: Vec<(&'static str, Vec<String>)>,
}

/// A change that mends a finding, in a platform's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Platform name.
    pub platform: String,
    /// The lines.
    pub text: String,
}

/// A judgement with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which judgement.
    pub id: FindingId,
    /// How sure.
    pub proof: Proof,
    /// About what.
    pub subject: Subject,
    /// In words.
    pub message: Text,
    /// What carries it.
    pub evidence: Vec<Evidence>,
    /// What mends it.
    pub fix: Vec<Fix>,
}

impl Finding {
    /// A proved finding without evidence yet.
    pub fn new(id: FindingId, subject: Subject, message: Text) -> Self {
        Finding { id, proof: Proof::Proved, subject, message, evidence: Vec::new(), fix: Vec::new() }
    }

    /// Sets how sure it is.
    pub fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// Adds evidence.
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The severity of its id.
    pub fn severity(&self) -> Severity {
        self.id.severity()
    }

    /// The first line of a configuration among the evidence.
    pub fn line(&self) -> Option<&Span> {
        self.evidence.iter().find_map(|e| match e {
            Evidence::Rule(span) => Some(span),
            _ => None,
        })
    }

    /// Sorts findings: worst first, then by id, place and subject.
    pub fn sort(list: &mut [Finding]) {
        list.sort_by(|a, b| {
            (a.severity(), a.proof, a.id, a.line(), &a.subject, &a.message).cmp(&(
                b.severity(),
                b.proof,
                b.id,
                b.line(),
                &b.subject,
                &b.message,
            ))
        });
    }
}

/// Number of findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// In the order of [`Severity::ALL`].
    pub counts: [usize; 5],
}

impl Summary {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = [0; 5];
        for finding in findings {
            counts[finding.severity() as usize] += 1;
        }
        Summary { counts }
    }
}

/// The answer to "does it hold".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing at or above the threshold, and nothing unknown could reach it.
    Holds,
    /// Something not modelled could reach the threshold.
    Undecided,
    /// A proved or observed finding reaches the threshold.
    Fails,
}

impl Verdict {
    /// Judges findings against a threshold.
    pub fn of(findings: &[Finding], fail_on: Severity) -> Self {
        findings
            .iter()
            .filter(|f| f.severity() <= fail_on)
            .map(|f| if f.proof == Proof::Possible { Verdict::Undecided } else { Verdict::Fails })
            .max()
            .unwrap_or(Verdict::Holds)
    }

    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Undecided => "undecided",
            Verdict::Fails => "fails",
        }
    }

    /// The process exit code (design section 7).
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Holds => 0,
            Verdict::Fails => 1,
            Verdict::Undecided => 3,
        }
    }
}

/// What a rule set does with one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Lets it through.
    Permit,
    /// Drops or rejects it.
    Deny,
    /// Depends on something not modelled.
    Unknown,
}

impl Decision {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Permit => "permit",
            Decision::Deny => "deny",
            Decision::Unknown => "unknown",
        }
    }
}
