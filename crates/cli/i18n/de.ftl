# Deutsch

word-error = Fehler
word-warning = Warnung
word-hint = Hinweis
word-possible = möglich
word-disputed = strittig
word-log = protokolliert

## Dateien

cannot-create = { $name } lässt sich nicht schreiben: { $detail }
cannot-write = das Ergebnis lässt sich nicht schreiben: { $detail }
config-empty = { $name } ist leer
config-no-rules = { $name } enthält keine Kette, es gibt also nichts zu beurteilen
config-not-recognised = { $name } sieht nach keiner hier bekannten Firewall-Konfiguration aus; --platform sagt, welche es ist
estate-folder-empty = der Ordner { $name } enthält weder estate.toml noch templates/ noch sites/
estate-missing = unter { $name } gibt es keinen Bestand; `tillgate init` schreibt einen ersten, --estate zeigt woandershin
file-binary = { $name } ist eine Binärdatei, kein Text
file-not-found = neben dem Bestand gibt es keine Datei { $name }
file-not-regular = { $name } ist keine gewöhnliche Datei
file-not-utf8 = { $name } ist kein UTF-8-Text
file-too-large = die Datei ist größer als { $megabytes } MB
file-too-large-named = { $name } ist größer als { $megabytes } MB
file-unreadable = { $name } lässt sich nicht lesen: { $detail }
include-cycle = { $name } bindet sich selbst ein
include-not-found = es gibt keine Datei { $name } zum Einbinden
include-outside = { $name } liegt außerhalb des Ordners der Konfiguration und wird nicht gelesen
include-too-deep = bei { $name } sind Einbindungen zu tief geschachtelt
include-unreadable = { $name } ist keine lesbare Textdatei
json-no-nftables = dieses JSON hat keine Liste "nftables"
json-syntax = das ist kein gültiges JSON: { $detail }
more-diagnostics = … und { $count } weitere

## TOML-Dateien

did-you-mean = war { $word } gemeint?
duplicate-id = die Kennung { $id } ist zweimal vergeben
duplicate-name = der Name { $name } ist zweimal vergeben
first-here = das erste Mal steht hier
toml-choice = { $key } kann nicht { $found } sein
toml-choices = eines von { $words }
toml-missing-key = { $key } fehlt
toml-syntax = das ist kein gültiges TOML: { $detail }
toml-type = { $key } muss { $expected } sein, nicht { $found }
toml-unknown-key = unbekannter Schlüssel { $key }
type-bool = true oder false
type-date = ein Datum wie 2027-03-31
type-integer = eine ganze Zahl
type-list = eine Liste
type-ports = ein Port oder ein Bereich wie "5060-5061"
type-table = eine Tabelle
type-text = ein Text in Anführungszeichen

## Kataloge

catalog-from = eine Anforderung nennt genau dann, wer die Verbindung öffnet (from), wenn ihr Ziel das Gerät ist
catalog-mac-prefix = das ist kein Block von MAC-Adressen
catalog-mac-prefix-hint = 6, 7 oder 9 Hex-Ziffern, für Blöcke von 24, 28 und 36 Bit
catalog-no-source = { $id } sagt nirgends, woher es stammt
catalog-ports-hint = ein Port, ein Bereich wie "5060-5061", eine Liste davon, oder "unknown"
catalog-row-id = die Kennung { $id } beginnt nicht mit ihrem Katalog
catalog-row-id-hint = { $catalog }.name
catalog-sound = { $file }: in Ordnung, { $rows } Anforderungen
no-catalog = es gibt keinen Katalog { $id } (es gibt: { $known })
unknown-feature = es gibt kein Merkmal { $feature }
unknown-kind = es gibt keine Geräteart { $kind }
unknown-kind-hint = `tillgate catalog show clover` zählt die Arten auf
unknown-requirement = es gibt keine Anforderung { $id }
unknown-protocol = das ist kein Protokoll
bad-ports = das ist kein Port und kein Bereich von Ports

## Bestand

address-outside = { $address } ist keine Host-Adresse des Segments { $segment }
bad-address = { $text } ist keine Adresse
bad-interface = "{ $name }" kann kein Schnittstellenname sein
bad-mac = { $text } ist keine Hardware-Adresse
bad-mac-hint = zwölf Hex-Ziffern, etwa d4:95:24:00:00:11
bad-prefix = { $text } ist keine Adresse und kein Präfix
bad-prefix-hint = eine Adresse wie 10.1.10.5 oder ein Präfix wie 10.1.10.0/28
bad-service = { $text } ist weder "gateway" noch eine Adresse
bad-service-hint = "gateway" für die Firewall selbst, oder eine Liste von Adressen
bad-site-name = der Name eines Standorts wird zum Dateinamen: er darf nicht leer sein, nicht mit einem Punkt beginnen und keinen Schrägstrich enthalten
bad-subnet-hint = ein Präfix wie 10.1.20.0/24; IPv6 gehört zu subnet6
bad-vlan = eine VLAN-Nummer liegt zwischen 1 und 4094
csv-column = unbekannte Spalte { $column }
csv-columns = Spalten sind { $columns }
csv-syntax = das ist kein gültiges CSV: { $detail }
csv-width = diese Zeile hat { $found } Felder, die Kopfzeile { $expected }
duplicate-address = { $address } ist zwei Geräten zugeteilt
duplicate-interface = die Schnittstelle { $interface } gehört zu zwei Segmenten
duplicate-mac = { $mac } ist zwei Geräten zugeteilt
duplicate-number = zwei Standorte haben die Nummer { $number }
duplicate-vlan = zwei Segmente haben dasselbe VLAN
estate-no-site = dieser Bestand hat keinen Standort
estate-no-site-hint = ein Standort beginnt mit [[site]]
estate-twice = [estate] steht zweimal da
exception-peer = { $word } ist kein Gerät, kein Segment und keine Adresse
exception-peer-hint = ein Gerät, ein Segment, eine Adresse, ein Präfix oder "internet"
exception-ports-protocol = Ports brauchen ein Protokoll, das welche hat
exception-syntax = das ist keine Ausnahme
exception-syntax-hint = PROTOKOLL QUELLE -> ZIEL[:PORTS], etwa "tcp pos -> 198.51.100.7:8443"
features-of-kind = diese Art kann haben: { $features }
gateway-needed = das Segment { $segment } hat kein Gateway, und ein Dienst liegt darauf
gateway-needed-hint = gateway = die Adresse der Firewall in diesem Segment
gateway-outside = das Gateway { $address } liegt nicht im Subnetz des Segments
host-bits = { $text } hat gesetzte Bits jenseits seiner Länge
overlapping-subnets = { $a } überschneidet sich mit { $b } des Segments { $other }
port-not-editable = der Port von { $id } lässt sich am Gerät nicht ändern
pos-in-guest = das Terminal { $device } steht in einem Gästesegment
pos-in-guest-hint = Terminals gehören in ein eigenes Segment mit role = "pos"
probe-until = der Messrechner { $device } hat keinen letzten Tag
probe-until-hint = until = 2027-03-31
segment-here = das Segment steht hier
segment-on-uplink = die Schnittstelle { $interface } ist zugleich Uplink
segments-of-site = dieser Standort hat { $segments }
unknown-catalog = es gibt keinen Katalog { $id }
unknown-feature-of-kind = { $kind } hat kein Merkmal { $feature }
unknown-segment = es gibt kein Segment { $segment }
unknown-site = es gibt keinen Standort { $site }
unknown-template = es gibt keine Vorlage { $name }
unknown-variable = die Variable { $name } gibt es hier nicht
variable-hint = vars = { "{" } { $name } = … { "}" } in der Vorlage oder am Standort
variable-site-hint = number = … füllt sie

## nftables

nft-after-verdict = nach einem Urteil kann nichts mehr folgen
bad-value = { $value } passt hier nicht
nft-base-chain = eine Basiskette schreibt man: type filter hook forward priority filter; policy drop;
nft-define = eine Definition schreibt man: define name = wert
nft-expected-dot = der Schlüssel hat weitere Teile, verbunden durch " . "
nft-expected-map = hier wird eine Abbildung erwartet: {"{"} … {"}"} oder @name
expected-value = hier wird ein Wert erwartet
nft-expected-verdict = { $word } ist kein Urteil
nft-include = eine Einbindung braucht einen Dateinamen
jump-deep = von der Kette { $chain } aus gehen Aufrufe tiefer, als der Kernel folgt (16)
jump-loop = die Kette { $chain } ruft sich selbst auf, unmittelbar oder über andere
open-string = diese Zeichenkette ist nicht geschlossen
nft-policy = eine Policy ist accept oder drop
nft-priority = das ist keine Priorität
nft-relative-rule = der Platz dieser Regel hängt vom laufenden Regelwerk ab; geben Sie das ganze (nft list ruleset)
nft-strange-byte = das Byte { $byte } gehört in kein Regelwerk
nft-table-body = hier wird der Rumpf einer Tabelle erwartet
nft-too-many-tokens = Definitionen lassen diese Konfiguration über alle Maßen wachsen
nft-unclosed = das wird nie geschlossen; vielleicht ist die Datei abgeschnitten
nft-undefined = ${ $name } ist nicht definiert
unknown-chain = in dieser Tabelle gibt es keine Kette { $chain }
nft-unknown-command = unbekannter Befehl { $word }
nft-unknown-in-set = { $word } gehört in keine Menge
nft-unknown-in-table = { $word } gehört in keine Tabelle
unknown-set = in dieser Tabelle gibt es keine Menge { $set }
not-modelled-match = die Bedingung "{ $what }"
not-modelled-set = die Menge { $set }, die etwas füllt, das nicht vorliegt
not-modelled-statement = die Anweisung "{ $what }"
not-modelled-table = die Tabelle { $family } { $name }

## Befehle

ask-management = Adresse, die die Firewall verwalten darf
ask-name = Name der Organisation
ask-pos-interface = Schnittstelle des Terminal-Segments
ask-pos-subnet = Subnetz der Terminals
ask-site = Name des Ladens
ask-terminal = Feste Adresse des ersten Terminals
ask-wan = Uplink-Schnittstelle der Firewall
explain-no-port = kein Katalog nennt den Port { $topic }: nichts hier Bekanntes braucht ihn
explain-unknown = { $topic } ist kein hier bekannter Port, keine Anforderung, kein Befund und keine PCI-DSS-Nummer
fleet-missing = keine Konfiguration
fleet-summary = { $sites } Standorte: { $holds } halten, { $fails } halten nicht, { $undecided } unentschieden, { $unreadable } unlesbar
fleet-unreadable = die Konfiguration lässt sich nicht lesen
init-assessment = PCI-DSS-Prüfung: saq-p2pe | saq-b-ip | saq-c | saq-d | saq-d-sp | roc
init-done = { $name } geschrieben; weiter mit: tillgate plan { $site } --estate { $name }
init-exists = { $name } gibt es schon und bleibt, wie es ist
init-features = was das Terminal außer Zahlungen noch tut
init-head = Der Bestand eines ersten Ladens: wer da ist, und wer mit wem sprechen darf. Alles nach # ist Kommentar.
init-mac = damit hält DHCP die Adresse fest
init-management = wer die Firewall verwalten darf
init-ntp = ohne Angabe jeder öffentliche Zeitserver
init-services = "gateway": auf der Firewall; oder eine Liste von Adressen
init-wan = Uplinks, wie die Firewall sie nennt
no-findings = keine Befunde
no-site = es gibt keinen Standort { $site } (es gibt: { $sites })
no-site-did-you-mean = es gibt keinen Standort { $site }; war { $word } gemeint?
note-disputed = { $count ->
    [one] 1 Zeile ist
   *[other] { $count } Zeilen sind
 } strittig: keine andere Quelle nennt sie; `tillgate explain` sagt, warum
note-open = { $count ->
    [one] 1 Zeile hat
   *[other] { $count } Zeilen haben
 } unbekannte Ports: eine offene Frage, nie eine Regel
packet-syntax = hier wird erwartet: { $expected }
packet-syntax-hint = tcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1 out eth0 state new
plan-exception = Ausnahme: { $reason } ({ $owner }, bis { $date })
plan-names-known = Bekannte Namen stehen im Katalog; manche teilen ihre Adressen mit anderen.
plan-names-wide = Namen auf geteilten Adressen (CDNs) machen eine Regel nach Namen weiter, als sie aussieht.
plan-not-enforced = Innerhalb eines Segments: von dieser Firewall nicht durchgesetzt
plan-open = Offene Fragen
plan-probe = Messrechner, bis { $date }
open-names-unknown = es sind keine Namen bekannt, das Ziel lässt sich also nicht einengen
open-no-peer = das Gerät, mit dem es spricht, ist nicht angegeben
open-ports-unknown = niemand veröffentlicht die Ports
render-all = { $count } Standorte nach { $folder } geschrieben
render-interface = nftables kann den Schnittstellennamen { $name } nicht tragen: höchstens 15 Zeichen, kein Schrägstrich, kein Doppelpunkt
render-names = { $site } verlangt Ziele nach Namen; das braucht services.dns = "gateway", dessen Resolver die Mengen füllt
render-no-management = { $site } gibt niemanden an, der die Firewall verwalten darf; das zu laden sperrte alle aus
render-no-uplink = { $site } gibt keinen Uplink an (firewall.wan)
iptables-no-commit = die Tabelle { $table } endet nicht mit COMMIT
iptables-no-such-rule = eine solche Regel gibt es in dieser Kette nicht
iptables-outside = diese Zeile steht in keiner Tabelle; eine Tabelle beginnt mit *filter und endet mit COMMIT
iptables-table = eine Tabelle { $name } gibt es nicht
unknown-word = { $word } wird nicht verstanden
not-given = { $what } (was das heißt, liegt nicht vor, so dass Pakete durchkommen können oder nicht)
render-rollback-iptables =
    Laden Sie es mit einer Rücknahme, die auslöst, wenn Sie sie nicht anhalten:
      iptables-save > /var/tmp/before.v4; ip6tables-save > /var/tmp/before.v6
      systemd-run --on-active=2min --unit=tillgate-rollback sh -c 'iptables-restore /var/tmp/before.v4; ip6tables-restore /var/tmp/before.v6'
      iptables-restore { $file } && ip6tables-restore { $file }
      # eine neue Verbindung zur Firewall öffnen; wenn das geht:
      systemctl stop tillgate-rollback.timer
routeros-changes = dieser Befehl ändert, was da ist, auf eine Weise, der nicht gefolgt wird; geben Sie, was /export danach ausgibt
routeros-no-tracking = ohne Verbindungsverfolgung wirken Zustände und Übersetzungen nicht; ein solcher Router wird nicht beurteilt
routeros-no-chain = diese Regel nennt keine Kette
render-rollback-routeros =
    Laden Sie es mit einem Weg zurück: in einem Terminal des Routers Strg-X drücken (Safe Mode), dann
      /import { $file }
    eine neue Verbindung zum Router öffnen; wenn das geht, noch einmal Strg-X drücken. Sonst wird alles zurückgenommen, wenn das Terminal endet.
fortios-no-end = config { $name } wird nicht mit end geschlossen
unknown-object = ein Objekt { $name } gibt es nicht
render-rollback-fortios =
    Laden Sie es mit einem Weg zurück: zuerst
      config system global / set cfg-save revert / set cfg-revert-timeout 120 / end
    dann { $file } einfügen; eine neue Verbindung zum Gerät öffnen; wenn das geht:
      execute cfg save
render-cannot-express = { $platform } kann nicht ausdrücken, was { $site } verlangt: { $what }
cannot-wildcard-name = ein Name, der für alles darunter steht ({ $name }); die Hosts einzeln nennen oder egress = "names" weglassen
cannot-management-port = Verwaltung auf Port { $port }; der Verwaltungszugang kennt ping, https, http, ssh, telnet
render-rollback-nftables =
    Laden Sie es mit einer Rücknahme, die auslöst, wenn Sie sie nicht anhalten:
      (echo flush ruleset; nft list ruleset) > /var/tmp/before.nft
      systemd-run --on-active=2min --unit=tillgate-rollback nft -f /var/tmp/before.nft
      nft -f { $file }
      # eine neue Verbindung zur Firewall öffnen; wenn das geht:
      systemctl stop tillgate-rollback.timer
render-unproved = die Konfiguration für { $site } gleicht nicht der Absicht und wird nicht geschrieben; bitte melden Sie das
trace-deny = verweigert
trace-permit = zugelassen
trace-unknown = unbekannt
unknown-platform = es gibt keine Plattform { $name } (es gibt: { $known })
verdict-fails = hält nicht
verdict-holds = hält
verdict-undecided = unentschieden
change-added = neu
change-changed = geändert
change-removed = entfallen

## Tabellen und Beschriftungen

col-catalog = Katalog
col-confidence = Vertrauen
col-destination = Ziel
col-end-of-support = Ende der Pflege
col-features = Merkmale
col-from = von
col-kind = Art
col-kinds = Arten
col-level = Stufe
col-name = Name
col-need = Bedarf
col-purpose = Zweck
col-requirement = Anforderung
col-rows = Zeilen
col-service = Dienst
col-source = Quelle
col-to = nach
col-vendor = Hersteller
col-version = Version
col-when = wenn
col-why = warum
heading-commands = Befehle
heading-usage = Aufruf
label-also = ebenso
label-blocked = wenn blockiert
label-box = Pakete
label-confidence = Vertrauen
label-disputed = strittig
label-findings = Befunde
label-fix = Abhilfe
label-level = Stufe
label-line = Zeile
label-names = Namen
label-packet = Paket
label-pci = PCI DSS
label-port = Port
label-purpose = Zweck
label-reason = warum
label-source = Quelle
label-when = wenn
need-allowed = erlaubt
need-needed = nötig
port-editable = lässt sich am Gerät ändern
port-fixed = lässt sich nicht ändern
source-checked = geprüft am { $date }

## Hilfe

cmd-tillgate = Weiß, was Zahlungsterminals vom Netz brauchen, schreibt es als Firewall-Konfiguration und beweist, was eine Konfiguration wirklich zulässt
cmd-init = Einen kommentierten Bestand für einen ersten Laden schreiben
cmd-requirements = Was Terminals brauchen, mit Quellen
cmd-explain = Einen Port, eine Anforderung, einen Befund oder eine PCI-DSS-Nummer erklären
cmd-plan = Die Flüsse eines Standorts, jeder mit seinen Gründen
cmd-render = Die Konfiguration der Firewall schreiben, bewiesen, bevor sie geschrieben wird
cmd-verify = Beweisen, was eine Konfiguration zulässt, gegen den Standort oder für sich
cmd-trace = Ein Paket oder eine Datei von Paketen durch eine Konfiguration führen
cmd-catalog = Kataloge aufzählen, zeigen, prüfen und vergleichen
cmd-list = Die Kataloge in Gebrauch
cmd-show = Ein Katalog mit allem darin
cmd-lint = Katalogdateien prüfen
cmd-catalog-diff = Was sich zwischen zwei Katalogdateien geändert hat
cmd-schema = Das JSON-Schema von Katalogdateien
arg-estate = Datei oder Ordner des Bestands [Standard: estate.toml, dann estate/; Umgebung: TILLGATE_ESTATE]
arg-now = Das Datum, nach dem geurteilt wird, statt heute
arg-format = Wie das Ergebnis ausgegeben wird
arg-lang = Sprache aller Texte [Standard: aus LANG]
arg-color = Farbe
arg-quiet = Nur das Ergebnis ausgeben
arg-verbose = Mehr ausgeben
arg-dir = Ordner für estate.toml
arg-name = Name der Organisation
arg-site = Name des Standorts
arg-wan = Uplink-Schnittstelle der Firewall
arg-pos-interface = Schnittstelle des Terminal-Segments
arg-pos-subnet = Subnetz der Terminals
arg-management = Adresse, die die Firewall verwalten darf
arg-terminal = Feste Adresse des ersten Terminals
arg-vendor = Katalog, zum Beispiel clover
arg-kind = Geräteart, zum Beispiel clover/mini
arg-feature = Merkmal in Gebrauch; mehrfach möglich
arg-profile = Nur was unter einem Profil an ist
arg-region = Region der Cloud des Herstellers
arg-topic = Ein Port (443, udp/123), eine Anforderung, ein Befund oder eine PCI-DSS-Nummer
arg-all = Alle Standorte
arg-platform = Firewall-Plattform
arg-output = Datei für die Konfiguration, oder Ordner für sie und ihre Begleiter
arg-config = Konfigurationsdatei oder Ordner, oder - für die Standardeingabe; mehrfach möglich
arg-fail-on = Schwere, ab der ein Befund den Standort durchfallen lässt
arg-packet = Das Paket: "tcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1 out eth0"
arg-packets = Datei mit einem Paket je Zeile
arg-id = Kennung des Katalogs
arg-files = Dateien; ohne Angabe die mitgelieferten Kataloge
arg-old = Alte Datei
arg-new = Neue Datei
diff-opened = öffnet ({ $count })
diff-closed = schließt ({ $count })
diff-redirected = leitet um ({ $count })
diff-differ = die beiden unterscheiden sich
diff-equal = gleich: kein Paket wird geöffnet oder geschlossen (bewiesen)
diff-equal-possible = kein Unterschied gefunden; ob sie gleich sind, hängt an dem, was nicht modelliert ist
diff-everything = jedes Paket
label-old = alt
label-new = neu
cmd-diff = Was eine Änderung öffnet und schließt, als Pakete

# Korrekturen und andere Ausgabeformen
fix-stopped = die erlaubte Arbeit endete, bevor alles versucht war; Änderung anwenden und noch einmal aufrufen
fix-summary = { $mended } behoben und bewiesen; { $left } übrig
format-not-here = dieser Befehl kennt diese Ausgabeform nicht
held-summary = woran die { $count } Datenflüsse der Terminals erkannt werden: { $port } nur am Port, { $address } an Adressen, { $name } an Namen, { $application } als Anwendung
label-severity = Schwere
label-finding = Befund
label-what = was
arg-fix = Beheben, was sich beheben lässt, und die Änderungen als Patch schreiben; jede wird vorher bewiesen
arg-patch-to = Datei für den Patch
fortios-name-taken = ein Objekt { $name } gibt es schon
## Checkliste

checklist-title = Firewall-Checkliste: { $site }
checklist-intro = Von oben nach unten abarbeiten; Regeln gelten in dieser Reihenfolge, die erste passende entscheidet. Menüs heißen bei jedem Gerät anders. Ist alles getan, misst tillgate check { $site } vom Laden aus, ob es wirkt.
checklist-column-number = Nr.
checklist-column-place = Wo
checklist-column-action = Was
checklist-column-source = Quelle
checklist-column-destination = Ziel
checklist-column-family = IP-Version
checklist-column-protocol = Protokoll
checklist-column-ports = Ports
checklist-column-log = Protokollieren
checklist-column-why = Warum
checklist-column-test = Probe
checklist-place-administration = Verwaltung
checklist-place-management = Fernwartung und Verwaltungszugang
checklist-place-networks = Netze und VLANs
checklist-place-wifi = WLAN
checklist-place-dhcp = DHCP und Reservierungen
checklist-place-dns-time = DNS und Zeit
checklist-place-upnp = UPnP
checklist-place-forwarding = Portfreigaben
checklist-place-nat = NAT
checklist-place-inspection = TLS-Inspektion und Inhaltsfilter
checklist-place-ipv6 = IPv6
checklist-place-spoofing = Schutz vor gefälschten Absendern
checklist-place-to-device = Firewallregeln: LAN zum Gerät selbst
checklist-place-between = Firewallregeln: LAN zu LAN
checklist-place-outward = Firewallregeln: LAN zu WAN
checklist-place-inward = Firewallregeln: WAN zu LAN und zum Gerät
checklist-allow = Erlauben
checklist-block = Verbieten
checklist-translate = Absender auf die Adresse des Uplinks umschreiben
checklist-yes = ja
checklist-no = nein
checklist-any = beliebig
checklist-internet = Internet
checklist-device = das Gerät selbst
checklist-end = { $place }: { $data }
checklist-end-any = { $place }: beliebig
checklist-end-except = { $place }: alles außer { $data }
checklist-ports-from = { $ports } (von Quellport { $from })
checklist-icmp = Typ { $type }
checklist-from-device = einem Laptop an Stelle von { $device } ({ $address })
checklist-from-segment = einem anderen Rechner in { $segment }
checklist-from-address = dem Rechner { $address }
checklist-from-outside = außen (ein Telefon im Mobilfunknetz)
checklist-set-backup = Einstellungen des Geräts in eine Datei sichern
checklist-why-backup = Der Weg zurück, falls eine Regel jemanden aussperrt
checklist-test-backup = Die Datei liegt auf einem anderen Rechner, die Seite zum Einspielen ist gefunden
checklist-set-credentials = Voreingestellten Benutzernamen und Kennwort ändern; je Person ein Konto, zweiter Faktor, wo das Gerät ihn hat
checklist-why-credentials = Voreingestellte Konten kennt jeder (PCI DSS 2.2.2, 8.3)
checklist-test-credentials = Mit dem Kennwort vom Aufkleber anmelden: wird abgelehnt
checklist-set-firmware = Aktuelle Firmware einspielen; Aktualisierungen außerhalb der Öffnungszeiten
checklist-why-firmware = Bekannte Lücken sind binnen eines Monats zu schließen (PCI DSS 6.3.3)
checklist-test-firmware = Die Seite des Geräts meldet keine Aktualisierung
checklist-set-management = Verwaltung nur von { $who }, TCP { $ports }; Telnet, unverschlüsseltes HTTP und SNMP v1/v2c aus
checklist-why-management-only = Verwaltung verschlüsselt und nur von bekannten Orten (PCI DSS 2.2.7)
checklist-test-management = Von einem anderen Rechner im Laden die Seite des Geräts öffnen: keine Antwort
checklist-set-remote = Verwaltung aus dem Internet aus: Webseite, SSH, Ping; Cloud des Herstellers nur mit zweitem Faktor
checklist-set-remote-only = Verwaltung aus dem Internet nur für { $who }: keine Webseite, kein SSH, kein Ping für andere; Cloud des Herstellers nur mit zweitem Faktor
checklist-why-remote = Nach der Seite des Geräts suchen Angreifer zuerst (PCI DSS 1.3.1, 8.4)
checklist-test-remote = Mit einem Telefon im Mobilfunknetz https:// und die öffentliche Adresse des Ladens öffnen: keine Antwort
checklist-set-network = Netz { $segment }: VLAN { $vlan }, Subnetz { $subnet }, Adresse des Geräts { $gateway }; von sich aus kein Verkehr zu anderen Netzen
checklist-why-network = Jede Art von Gerät hat ihr eigenes Netz
checklist-why-network-pos = Terminals sind von allem anderen getrennt (PCI DSS 1.2, 1.4)
checklist-test-network = Ein Laptop in { $segment } hat eine Adresse dieses Subnetzes
checklist-set-isolation-on = Falls { $segment } WLAN hat: Client-Isolation an
checklist-set-isolation-off = Falls { $segment } WLAN hat: Client-Isolation aus
checklist-why-isolation-on = Innerhalb eines Netzes entscheidet keine Firewall, sondern die Isolation
checklist-why-isolation-off = Diese sprechen mit Nachbarn im selben Netz: { $who }
checklist-test-isolation-on = Von einem WLAN-Gerät in { $segment } ein anderes anpingen: keine Antwort
checklist-test-isolation-off = An { $who } nutzen, was den Nachbarn braucht (drucken, Kasse koppeln): geht
checklist-set-dhcp-off = DHCP-Server des Geräts in jedem Netz aus
checklist-why-dhcp-off = Ein anderer Server vergibt die Adressen
checklist-test-dhcp-off = Ein Laptop, der eine Adresse anfordert, bekommt sie vom anderen Server (ipconfig /all)
checklist-set-no-pool = In { $segment }: kein freier Adressbereich, nur Reservierungen
checklist-why-no-pool = Was nicht eingetragen ist, bekommt unter Terminals keine Adresse
checklist-test-no-pool = Ein Laptop in { $segment } bekommt keine Adresse
checklist-set-reservation = { $address } für { $mac } reservieren ({ $device })
checklist-set-reservation-unknown = { $address } für { $device } reservieren; die Hardwareadresse steht auf dem Aufkleber
checklist-why-reservation = Die Regeln gelten für diese Adresse von { $device }
checklist-test-reservation = { $device } zeigt nach einem Neustart { $address } in den Netzeinstellungen
checklist-set-dns-here = DNS: Das Gerät antwortet in jedem Netz und nennt den Rechnern seine eigene Adresse
checklist-set-dns-at = DNS: den Rechnern { $addresses } nennen
checklist-why-dns = Ohne Namen findet keine Zahlung ihren Weg
checklist-test-dns = Von einem Rechner des Netzes: nslookup example.com – dieser Server antwortet
checklist-set-ntp-here = Zeit: Das Gerät stellt seine Uhr per NTP, antwortet in jedem Netz auf NTP und nennt den Rechnern seine eigene Adresse
checklist-set-ntp-at = Zeit: den Rechnern { $addresses } nennen
checklist-why-ntp = Eine falsche Uhr lässt jede verschlüsselte Verbindung scheitern (PCI DSS 10.6)
checklist-test-ntp = Die Uhr des Geräts und die eines Terminals stimmen auf die Sekunde
checklist-set-names = Das Gerät muss Namen als Ziel einer Regel nehmen (FQDN, Domain-Gruppe), mit *. wo eine Zeile das sagt, und sie selbst auflösen
checklist-why-names = Manche Zeilen nennen ihr Ziel beim Namen; kann das Gerät das nicht, braucht der Bestand egress = "internet"
checklist-test-names = Die Seite des Geräts zeigt unter jedem Namen Adressen
checklist-set-upnp = UPnP, NAT-PMP und PCP aus
checklist-why-upnp = Jedes Programm im Haus könnte den Laden sonst zum Internet öffnen (PCI DSS 1.2.5)
checklist-test-upnp = Von einem Rechner im Haus: upnpc -l – findet kein Gateway
checklist-set-forwarding = Jede Portfreigabe löschen, die keine Ausnahme unten braucht; kein Exposed Host (DMZ-Host)
checklist-why-forwarding = Keine Anforderung braucht eine Verbindung aus dem Internet (PCI DSS 1.3.1)
checklist-test-forwarding = Mit einem Telefon im Mobilfunknetz findet ein Portscan der öffentlichen Adresse des Ladens nichts Offenes
checklist-why-nat = Private Adressen führen im Internet nirgendwohin und bleiben privat (PCI DSS 1.4.5)
checklist-test-nat = Von einem Rechner im Haus: Eine Seite, die die eigene Adresse zeigt, zeigt die öffentliche des Ladens
checklist-set-no-nat = Umschreiben der Absender aus
checklist-why-no-nat = Im Bestand steht nat = "none": Ein anderes Gerät schreibt um
checklist-test-no-nat = Das nächste Gerät sieht die Adressen der Rechner
checklist-set-inspection = TLS-Inspektion, Web-Proxy und Inhaltsfilter aus für { $segments }
checklist-why-inspection = Terminals lehnen unterwegs geöffnete Verbindungen ab, und Kartendaten müssen verschlüsselt bleiben
checklist-test-inspection = Von einem Laptop dort ist das Zertifikat der Seite des Zahlungsanbieters dessen eigenes
checklist-set-ipv6-off = IPv6 aus in { $segments }: kein Adressbereich, keine Router-Advertisements, kein DHCPv6
checklist-why-ipv6-off = Ein Netz ohne IPv6-Regeln darf kein IPv6 haben
checklist-test-ipv6-off = Ein Rechner dort hat keine IPv6-Adresse außer fe80::…
checklist-set-ipv6-rules = Hat das Gerät eine eigene Seite für IPv6-Regeln: die Zeilen für IPv6 dort eintragen, mit einer Zeile, die den Rest verbietet
checklist-why-ipv6-rules = Bei IPv6 verdeckt keine Adressumschreibung eine fehlende Regel
checklist-test-ipv6-rules = Von außen findet ein Scan der IPv6-Adresse eines Rechners nichts Offenes
checklist-why-spoofing = Gefälschte Absender; hat das Gerät einen Schalter dafür (Anti-Spoofing, Reverse Path), genügt er (PCI DSS 1.4.3)
checklist-test-spoofing = Der Schalter ist an, oder ein Ping mit fremdem Absender steht als verboten im Protokoll
checklist-why-rest = Was keine Zeile darüber erlaubt, wird verboten und protokolliert (PCI DSS 1.3, 1.4)
checklist-why-not-public = Die nächsten Zeilen gelten nur für öffentliche Adressen
checklist-why-requirement = { $requirement }: { $who }
checklist-why-disputed = { $requirement } (Bedarf umstritten): { $who }
checklist-why-internet = Im Bestand dürfen alle in { $who } ins Internet
checklist-why-management = Verwaltung des Geräts: { $who }
checklist-why-exception = Ausnahme bis { $expires }, { $owner }: { $reason } ({ $allow })
checklist-test-allow = Von { $from }: { $command } – antwortet
checklist-test-allow-outside = Von einer Adresse der Zeile, von außen: { $protocol } { $port } der öffentlichen Adresse des Ladens antwortet
checklist-test-block = Von { $from }: { $command } – keine Antwort, und das Protokoll des Geräts zeigt es
checklist-test-dhcp = Von { $from }: Adresse neu anfordern – ein reserviertes Gerät bekommt seine eigene
checklist-test-use = Nutzen, was es braucht: geht, und das Protokoll des Geräts zeigt keine Ablehnung
checklist-test-log = Das Protokoll des Geräts zeigt Ablehnungen dieser Zeile, aber nichts, was eine Anforderung braucht

## Switches

bad-parking-vlan = ein Park-VLAN liegt zwischen 2 und 4094
bad-port-name = "{ $name }" kann kein Port eines Switches heißen
bad-switch-name = "{ $name }" kann kein Switch heißen: Buchstaben, Ziffern, Bindestriche, Punkte
device-on-two-ports = { $device } steckt in zwei Ports
duplicate-port = der Port { $port } von { $switch } ist zweimal vergeben
parking-vlan-used = das Park-VLAN { $vlan } gehört einem Segment
port-device-and-segment = ein Port gehört einem Gerät oder einem Segment, nicht beiden
reserved-vlan = VLAN { $vlan } ist bei IOS reserviert
segment-without-vlan = das Segment { $segment } hat kein VLAN, also kann ihm kein Port eines Switches gehören
segment-without-vlan-hint = vlan = eine Zahl zwischen 1 und 4094, im Segment
switch-address = { $address } liegt in keinem Segment mit VLAN
unknown-device = es gibt kein Gerät { $device }
unknown-switch = es gibt an diesem Standort keinen Switch { $switch }
cannot-interface-vyos = den Schnittstellennamen { $name }; Regeln von VyOS nennen Schnittstellen nach ihrer Art (eth0, eth1.20, bond0, br0, wg0 …), mit höchstens 15 Zeichen
cannot-ports-vyos = Ports von { $protocol }; Regeln von VyOS kennen nur Ports von tcp und udp
vyos-changes = dieser Befehl ändert, was da ist, auf eine Weise, der nicht gefolgt wird; geben Sie, was `show configuration commands` danach ausgibt
vyos-no-action = diese Regel hat keine Aktion
vyos-unzoned = Pakete aus einer Zone zu { $interfaces }, die zu keiner Zone gehören
render-rollback-vyos =
    Mit einem Rückweg laden: auf der Firewall in den Konfigurationsmodus wechseln (configure), { $file } einfügen, dann
      commit-confirm 5
    eine neue Verbindung zur Firewall öffnen; wenn sie zustande kommt:
      confirm
      save
    Ohne confirm startet sie nach fünf Minuten mit dem Stand von vorher neu. „Nothing to delete“ ist kein Fehler.
cannot-names = ein Ziel mit Namen ({ $name }); Adressen nennen oder egress = "names" weglassen
cannot-protocol = Protokoll { $protocol }: Sitzungen verfolgt es nur bei TCP, UDP und ICMP
render-rollback-ios =
    Laden Sie es mit einem Weg zurück. Einmalig, im Konfigurationsmodus: archive / path bootflash:before. { $file } nach bootflash: kopieren, dann
      configure terminal revert timer 5
      end
      copy bootflash:{ $file } running-config
    eine neue Verbindung zum Router öffnen; wenn das geht:
      configure confirm
      write memory
    Sonst geht der Router nach fünf Minuten von selbst zurück.
opnsense-encrypted = diese Sicherung ist verschlüsselt; machen Sie eine ohne Passwort, oder entschlüsseln Sie sie vorher: anders sind die Regeln nicht zu lesen
opnsense-not-loaded = eine Regel, die die Firewall nicht lädt: { $what } ist nicht in Gebrauch
opnsense-ipv6 = ob IPv6 durchgeht: wo die Datei nichts sagt (ipv6allow, disableipv6), unterscheiden sich die Versionen
opnsense-no-interfaces = Schnittstellen und Adressen: diese Datei hat keinen solchen Abschnitt
xml-close = hier wird { $found } geschlossen, offen ist aber { $expected }
xml-cut = die Datei endet, bevor ihr erstes Element geschlossen ist; vielleicht ist sie abgeschnitten
xml-document-type = ein Dokumenttyp wird nicht gelesen: keine Konfiguration hat einen
xml-syntax = Zeile { $line } ist kein wohlgeformtes XML
render-rollback-opnsense =
    Laden Sie es mit einem Weg zurück. An der Konsole der Firewall oder über SSH (8, Shell):
      cp /conf/config.xml /conf/before.xml
      daemon -f -p /var/run/tillgate.pid sh -c 'sleep 300; cp /conf/before.xml /conf/config.xml; configctl filter reload'
    Im Browser: System, Konfiguration, Sicherungen: { $file } mit den Bereichen Aliase, Firewallregeln und NAT wiederherstellen, und keinem anderen, ohne Neustart; dann
      configctl filter reload
    eine neue Verbindung zur Firewall öffnen; wenn das geht:
      kill $(cat /var/run/tillgate.pid)
    und von Hand einstellen, was am Anfang von { $file } steht. Für pfSense nehmen Sie pfsense.xml (Diagnostics, Backup & Restore, ein Bereich nach dem anderen); dort ist der Ordner /cf/conf, und neu geladen wird mit: rm -f /tmp/config.cache; /etc/rc.filter_configure_sync
pf-unknown-macro = es gibt kein Makro { $name }; ein Makro muss vor seiner Verwendung definiert sein
pf-port-without-protocol = Ports brauchen ein Protokoll, das welche hat: proto tcp, proto udp
pf-open-anchor = die Regeln dieses Ankers werden nicht mit { "}" } geschlossen
pf-anchors-deep = Anker sind hier tiefer verschachtelt, als pf ihnen folgt (64)
render-rollback-pf =
    Prüfen Sie sie und laden Sie sie mit einem Weg zurück, der läuft, wenn Sie ihn nicht anhalten:
      pfctl -nf { $file }
      (sleep 120; pfctl -f /etc/pf.conf) & echo $! > /var/run/tillgate-back
      pfctl -f { $file }
      # eine neue Verbindung zur Firewall öffnen; wenn das geht:
      kill $(cat /var/run/tillgate-back) && cp { $file } /etc/pf.conf
asa-old = Software vor 8.3, deren Listen übersetzte Adressen nennen, wird nicht gelesen
asa-ftd = dies ist eine Liste von Firepower Threat Defense, nicht von einer ASA
asa-cannot-management-port = Verwaltung auf Port { $port }; eine ASA kennt ssh auf 22, telnet auf 23 (nicht von einem Uplink) und einen Port ihres HTTPS-Servers
asa-cannot-inbound = Verbindungen aus dem Internet ({ $what }) zu Adressen, die übersetzt werden, auf anderem als TCP- und UDP-Ports unter 1024
asa-cannot-pool = Adressreservierungen des Segments { $segment }: sie brauchen einen Pool von 256 Adressen, der alle enthält und die der Firewall nicht
render-rollback-asa =
    Laden Sie es mit einem Weg zurück: die Konfiguration sichern (write memory), dann
      reload in 10 noconfirm
      configure terminal, und { $file } einfügen
    eine neue Verbindung zur Firewall öffnen; wenn das geht:
      reload cancel
      write memory
cannot-ports-openwrt = Ports von { $protocol }; Regeln von OpenWrt kennen nur Ports von tcp und udp
openwrt-changes = dieser Befehl ändert den Bestand auf eine Weise, der nicht gefolgt wird; geben Sie an, was `uci export firewall` danach ausgibt
openwrt-device = das Netz { $name }, dessen Gerät von der Hardware abhängt
openwrt-ignored = die Option { $option }, die fw4 übergeht
openwrt-left-out = ein Abschnitt, den der Router auslässt, weil er sich widerspricht oder schon da war
openwrt-missing = diesem Abschnitt fehlt die Option { $option }
openwrt-no-networks = welches Gerät ein Netz ist: ohne /etc/config/network gilt sein Name als Gerät
openwrt-no-target = eine Regel ohne Ziel, mit der fw3 ablehnt und fw4 nur zählt
openwrt-outside = diese Option steht vor dem ersten Abschnitt
openwrt-ports = { $option } neben einem Protokoll, das weder tcp noch udp ist: fw4 passt dann auf jeden Port
openwrt-too-much = diese Zeile hat ein Wort zu viel; ein Wert mit Leerzeichen braucht Anführungszeichen
render-rollback-openwrt =
    Mit Rückweg laden:
      cp /etc/config/firewall /tmp/firewall.before
      (sleep 120; cp /tmp/firewall.before /etc/config/firewall; service firewall reload) & BACK=$!
      cp { $file } /etc/config/firewall && fw4 check && service firewall reload
      # eine neue Verbindung zum Router öffnen; wenn sie zustande kommt:
      kill $BACK
    Die Datei dhcp, falls vorhanden, gehört ans Ende von /etc/config/dhcp; dnsmasq.conf nach /etc/dnsmasq.conf.
probe-cut-off = die Verbindung wurde abgebrochen
probe-error = { $detail }
