# English: findings, and what is known about ports, confidence and PCI DSS.

finding-address-not-fixed = { $device } has no fixed address, so no rule can be made for it
finding-anti-spoofing-missing = packets from { $from } with a forged source address pass
finding-deny-not-logged = what is denied from { $from } to { $to } leaves no trace in the log
finding-device-end-of-support = support for { $device } ({ $kind }) ended on { $date }
finding-exception-expired = the exception "{ $allow }" of { $owner } expired on { $date }
finding-excess-more = more rules permit packets from { $from } to { $to } than are listed here
finding-excess-permit = a rule permits packets from { $from } to { $to } that no flow asks for
finding-flow-blocked = { $source } cannot reach { $destination } on { $service }
finding-flow-narrowed = { $source } reaches { $destination } on { $service } only at some addresses; whether these are the right ones cannot be told here
finding-flow-partly-blocked = { $source } reaches { $destination } on { $service } only in part
finding-flow-undecided = whether { $source } reaches { $destination } on { $service } depends on a line that is not modelled
finding-inbound-from-internet = packets from the { $from } come in to { $to }
finding-later-not-permitted = { $source } can open { $service } to { $destination }, but its later packets are dropped
finding-management-exposed = the firewall can be managed from { $from } by addresses that are not authorised
finding-nat-missing = the estate asks for address translation on { $uplink }, and the configuration has none
finding-not-modelled = not modelled, so it counts as able to do anything: { $what }
finding-reply-not-permitted = { $source } can open { $service } to { $destination }, but the answers are dropped
finding-requirement-disputed = { $requirement } is on, and its need is disputed; observe whether anything uses it
finding-requirement-stale = the source of { $requirement } has not been checked for 90 days
finding-rule-redundant = { $count ->
    [one] without this rule of { $chain } nothing would change: a later rule does the same with all its packets
   *[other] without this rule of { $chain } nothing would change: { $count } later rules together do the same with all its packets
 }
finding-rule-never = this rule of { $chain } can match no packet: its conditions exclude each other
finding-rule-conflicting = { $count ->
    [one] this rule of { $chain } decides differently from an earlier one about packets that both match; neither is an exception of the other
   *[other] this rule of { $chain } decides differently from { $count } earlier ones about packets that both match; neither is an exception of the other
 }
finding-conflicts-open = { $count ->
    [one] whether a rule of { $chain } contradicts an earlier one was not decided: too many rules
   *[other] whether { $count } rules of { $chain } contradict earlier ones was not decided: too many rules
 }
finding-rule-disabled = this rule is switched off
finding-rule-expired = this rule was to be in force until { $date }
finding-object-unused = nothing uses { $name }
finding-cleartext-management = the firewall can be managed by { $service }, which is not encrypted
finding-inspection-of-pos = { $source }: this rule breaks encrypted connections open (profile { $profile })
finding-insecure-service = { $service } is permitted from { $from } to { $to }; it sends everything as it is
finding-rule-any-any = a rule permits any service from { $from } to any destination in { $to }
finding-rule-shadowed = { $count ->
    [one] this rule of { $chain } can never match: an earlier rule takes all its packets
   *[other] this rule of { $chain } can never match: { $count } earlier rules together take all its packets
 }
finding-shadowing-open = { $count ->
    [one] whether a rule of { $chain } can ever match was not decided: too many rules overlap
   *[other] whether { $count } rules of { $chain } can ever match was not decided: too many rules overlap
 }
finding-segment-exposed = packets from { $from } reach { $to }
finding-source-segment = { $site } opens its flows to whole segments (source = "segment")
finding-source-too-wide = a rule permits a needed service from { $from } to { $to } to more sources than the declared devices
finding-unfiltered = nothing filters packets from { $from } to { $to }: no chain sees them

explain-flow-blocked = A flow that payments need is not permitted by any rule. The packet shown is what the terminal would send; the line shown is what denies it. Permit the flow, and no more, before that line.
explain-flow-partly-blocked = A part of a needed flow is denied: some destinations, some ports, one of several devices or one of several uplinks. Marked as possible, the rules narrow the destination to addresses that nobody can compare with the names behind them.
explain-reply-not-permitted = The first packet passes and the answer does not. A rule for established connections is missing, or stands after one that drops the answers.
explain-inbound-from-internet = A packet that arrives at an uplink reaches a terminal or another declared device, often by a forgotten port forward. Terminals only open connections themselves; nothing has to come in.
explain-management-exposed = Addresses other than the declared ones can reach a port by which firewalls are managed. Restrict it to the addresses under firewall.management.
explain-segment-exposed = Another segment reaches the terminals, or they reach it. Segmentation is what keeps the rest of the network out of scope of PCI DSS.
explain-rule-any-any = One rule permits every service to every destination. A stolen device could send anything anywhere. Replace it by the flows of `tillgate plan`.
explain-source-too-wide = The service is right, the source is not: other hosts of the segment may use it too. Name the fixed addresses of the terminals.
explain-excess-permit = A rule permits packets that no requirement, service or exception asks for. Remove it, narrow it, or write down the exception with its reason, owner and last day.
explain-rule-shadowed = All packets of this rule are taken by earlier ones, so it does nothing. Either it is superfluous, or it stands too late.
explain-rule-redundant = Without this rule nothing would change.
explain-rule-conflicting = This rule decides differently from an earlier one about a part of the same packets.
explain-rule-unused = No packet has used this rule for a long time.
explain-rule-disabled = Nobody reviews a rule that is switched off, and one click puts it in force. Remove it, or write down why it stays.
explain-rule-expired = This rule had an end, and that day has passed. Remove it.
explain-object-unused = No rule uses this object.
explain-deny-not-logged = Denied packets leave no log entry. Without them neither an attack nor a wrongly blocked terminal can be seen.
explain-anti-spoofing-missing = A packet may claim a source address that cannot come from where it came from. Drop such packets before anything else, or let the reverse path be checked.
explain-nat-missing = Packets with private source addresses leave by an uplink untranslated; no answer will find its way back.
explain-inspection-of-pos = The firewall decrypts the terminals' connections. They do not trust its certificate, and none may be installed on them: exempt them from inspection.
explain-insecure-service = A service without encryption is permitted. PCI DSS asks for a written reason and what is done about the risk.
explain-cleartext-management = The firewall can be managed over a protocol without encryption.
explain-cannot-express = The platform has no way to say what the intent asks for; what is written instead is shown.
explain-not-modelled = The analysis does not know what this statement does. It is never skipped: it counts as able to permit and to deny, and where that could change an answer, the answer is "undecided".
explain-address-not-fixed = Rules name addresses. A device without a fixed one gets no rule and cannot pay. Reserve its address by DHCP and write it down.
explain-requirement-stale = Requirements change. This one's source has not been looked at for more than 90 days.
explain-requirement-disputed = The guide asks for this, and no other source does. It is rendered because a feature turned it on; observe whether anything uses it, and close it if not.
explain-exception-expired = The last day of an exception has passed. It is no longer part of the intent, so a rule for it counts as excess. Renew it or remove the rule.
explain-device-end-of-support = The vendor no longer updates this device.

confidence-vendor = published by the vendor
confidence-partner = from the vendor's software or an official partner
confidence-third-party = from a reseller, an integrator or a public thread
confidence-guide = only in the guide this project started from; nothing confirms it
confidence-inferred = follows from other facts; no source states it
confidence-observed = seen on a device

port-443 = Port 443 carries HTTPS: all payment data crosses the internet inside TLS. It is the one port that every source agrees on, and most networks permit it already. It cannot be moved to another number on the terminal. Breaking into the connection for inspection makes it fail.
port-123 = If port 123 (NTP) is blocked, terminals cannot set their clocks. As the clock drifts, certificates look invalid and the time stamps of authorisations are wrong: payments fail, and receipts, reports and updates with them. It may be pointed at a time source of your own (services.ntp); it cannot be left out.
port-80 = Port 80 carries unencrypted HTTP. It is recommended for the first set-up and for redirects, not needed for payments; PCI DSS 1.2.6 asks for a reason where it stays open.

pci-1-2-1 = Standards for the configuration of firewalls are defined and kept.
pci-1-2-2 = Changes to connections and firewall configurations are approved and managed.
pci-1-2-5 = Every service, protocol and port that is allowed is identified, approved and has a business need.
pci-1-2-6 = For insecure services in use, measures against their risk are defined.
pci-1-2-7 = Firewall configurations are reviewed at least every six months.
pci-1-2-8 = Configuration files are protected from unauthorised access and agree with what is running.
pci-1-3-1 = Inbound traffic to the card data environment is only what is necessary; everything else is denied.
pci-1-3-2 = Outbound traffic from the card data environment is only what is necessary; everything else is denied.
pci-1-3-3 = A firewall stands between every wireless network and the card data environment, and denies by default.
pci-1-4-1 = Firewalls stand between trusted and untrusted networks.
pci-1-4-2 = From untrusted networks only traffic to public services and answers to permitted connections come in.
pci-1-4-3 = Forged source addresses are detected and kept out.
pci-2-2-4 = Only necessary services are enabled; everything else is removed or disabled.
pci-2-2-7 = Administrative access over the network is encrypted.
pci-4-2-1 = Strong cryptography protects card numbers on open networks.
pci-10-2-1 = Audit logs are enabled and active.
pci-10-6-2 = Designated time servers supply the time; only they take it from outside.
pci-12-3-4 = Hardware and software are reviewed at least once a year, vendors' support included.
explain-dns-failed = A resolver that the terminals use does not answer, answers with an error, or answers wrongly: private addresses for public names, or addresses for names that do not exist. Without names a terminal shows offline. Ask another resolver to tell the line from the resolver.
explain-port-unreachable = A needed service was not reached from here. Refused means that somebody answered no; prohibited, that a filter said so; silent, that packets vanish, which is what most firewalls do with what they drop.
explain-tls-failed = The service is reached, and no secured connection comes about: the certificate has ended, bears another name or comes from an unknown issuer, or the server speaks old versions only. A wrong clock on the checking host looks like an ended certificate.
explain-tls-intercepted = The certificate is trusted by this host and by no public root: something on the way breaks connections open. Terminals do not trust it and fail. Exempt the terminals' traffic from inspection; never install a certificate on a terminal.
explain-tls-weak = The server accepts old versions, weak suites or short keys. PCI DSS asks for strong cryptography where card data crosses open networks.
explain-certificate-expiring = The certificate ends within 30 days. Whoever runs the server must renew it; afterwards connections fail.
explain-http-failed = A page over port 80 does not come, or not as it should. First set-up of a device and checks of connectivity use it.
explain-ntp-unreachable = A time server gives no usable time: it does not answer, refuses by a kiss code, or says itself that it is not synchronised. Payments go on until the terminal's clock has drifted.
explain-clock-off = A clock is wrong: a time server's against the others, or this host's against all. With a wrong clock certificates look invalid and time stamps of authorisations are wrong.
explain-sip-failed = Voice signalling is not answered, or comes back rewritten: a helper (ALG) on a router changes it. Switch the helper off. Payments are not affected.
explain-port-conflict = Another program on this host holds a port that a payment application needs; the application cannot start, or terminals reach the wrong program.
explain-segment-reachable = From where this test ran, something reaches what must not be reached, or leaves what it must not leave. Segmentation keeps the rest of the network out of scope of PCI DSS; this is the evidence that it does not hold.
explain-path-mtu = Large packets vanish on the way and nobody says so: small answers work, large ones hang. Permit ICMP "fragmentation needed" and "packet too big", or clamp the MSS.
explain-latency-high = Answers are slow or get lost. Terminals give up after some seconds; authorisations become slow or fail now and then.
explain-captive-portal = A sign-in page answers in place of the internet. No terminal can sign in there: let the terminals past it.
explain-port-open-unexpected = A device offers a service that nothing in the estate asks for. Switch it off, or declare why it is needed.
explain-device-unknown = A device stands in the terminals' segment that the estate does not know. Find it; declare it or remove it.
explain-device-missing = A declared device did not answer: switched off, unplugged, or at another address.
explain-device-misplaced = A device was seen in another segment or at another address than the estate says. Its rules do not fit it.
explain-scan-incomplete = A scan could not see everything it looked for: time ran out, answers were lost, or a right was missing. What it did not see may be there all the same, so an incomplete scan is never a clean one.
pci-4-2-1-1 = An inventory of the keys and certificates that protect card numbers on open networks is kept.
pci-10-6-1 = Clocks of all systems are synchronised.
pci-11-4-5 = Segmentation is tested at least once a year and after changes: it isolates the card data environment.
pci-12-5-1 = An inventory of the systems in scope is kept and current.
explain-optional-unreachable = The site allows it and payments do not need it: an exception, a recommended row. If it is in use, something is in its way; if not, the permission can go.
