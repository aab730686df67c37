# Deutsch: Befunde, und was über Ports, Vertrauen und PCI DSS bekannt ist.

finding-address-not-fixed = { $device } hat keine feste Adresse, für das Gerät lässt sich also keine Regel machen
finding-anti-spoofing-missing = Pakete aus { $from } mit gefälschter Quelladresse kommen durch
finding-deny-not-logged = was von { $from } nach { $to } verweigert wird, hinterlässt keine Spur im Protokoll
finding-device-end-of-support = die Pflege von { $device } ({ $kind }) endete am { $date }
finding-exception-expired = die Ausnahme "{ $allow }" von { $owner } ist am { $date } abgelaufen
finding-excess-more = mehr Regeln lassen Pakete von { $from } nach { $to } zu, als hier aufgezählt sind
finding-excess-permit = eine Regel lässt Pakete von { $from } nach { $to } zu, die kein Fluss verlangt
finding-flow-blocked = { $source } erreicht { $destination } auf { $service } nicht
finding-flow-narrowed = { $source } erreicht { $destination } auf { $service } nur an manchen Adressen; ob es die richtigen sind, lässt sich hier nicht sagen
finding-flow-partly-blocked = { $source } erreicht { $destination } auf { $service } nur zum Teil
finding-flow-undecided = ob { $source } { $destination } auf { $service } erreicht, hängt an einer nicht modellierten Zeile
finding-inbound-from-internet = Pakete aus dem Internet ({ $from }) kommen herein zu { $to }
finding-later-not-permitted = { $source } kann { $service } zu { $destination } öffnen, aber die späteren Pakete werden verworfen
finding-management-exposed = die Firewall lässt sich aus { $from } von Adressen verwalten, die nicht befugt sind
finding-nat-missing = der Bestand verlangt Adressübersetzung auf { $uplink }, die Konfiguration hat keine
finding-not-modelled = nicht modelliert, zählt also als zu allem fähig: { $what }
finding-reply-not-permitted = { $source } kann { $service } zu { $destination } öffnen, aber die Antworten werden verworfen
finding-requirement-disputed = { $requirement } ist an, und der Bedarf ist strittig; beobachten Sie, ob etwas es nutzt
finding-requirement-stale = die Quelle von { $requirement } wurde seit 90 Tagen nicht geprüft
finding-rule-redundant = { $count ->
    [one] ohne diese Regel von { $chain } änderte sich nichts: eine spätere Regel tut mit allen ihren Paketen dasselbe
   *[other] ohne diese Regel von { $chain } änderte sich nichts: { $count } spätere Regeln zusammen tun mit allen ihren Paketen dasselbe
 }
finding-rule-never = diese Regel von { $chain } kann auf kein Paket zutreffen: ihre Bedingungen schließen einander aus
finding-rule-conflicting = { $count ->
    [one] diese Regel von { $chain } entscheidet anders als eine frühere über Pakete, auf die beide zutreffen; keine ist eine Ausnahme der anderen
   *[other] diese Regel von { $chain } entscheidet anders als { $count } frühere über Pakete, auf die beide zutreffen; keine ist eine Ausnahme der anderen
 }
finding-conflicts-open = { $count ->
    [one] ob eine Regel von { $chain } einer früheren widerspricht, wurde nicht entschieden: zu viele Regeln
   *[other] ob { $count } Regeln von { $chain } früheren widersprechen, wurde nicht entschieden: zu viele Regeln
 }
finding-rule-disabled = diese Regel ist abgeschaltet
finding-rule-expired = diese Regel sollte bis { $date } gelten
finding-object-unused = nichts nutzt { $name }
finding-cleartext-management = die Firewall lässt sich über { $service } verwalten, ohne Verschlüsselung
finding-inspection-of-pos = { $source }: diese Regel bricht verschlüsselte Verbindungen auf (Profil { $profile })
finding-insecure-service = { $service } ist von { $from } nach { $to } zugelassen; dieser Dienst überträgt alles unverschlüsselt
finding-rule-any-any = eine Regel lässt jeden Dienst von { $from } zu jedem Ziel in { $to } zu
finding-rule-shadowed = { $count ->
    [one] diese Regel von { $chain } kann nie treffen: eine frühere Regel nimmt alle ihre Pakete
   *[other] diese Regel von { $chain } kann nie treffen: { $count } frühere Regeln zusammen nehmen alle ihre Pakete
 }
finding-shadowing-open = { $count ->
    [one] ob eine Regel von { $chain } je greifen kann, wurde nicht entschieden: zu viele Regeln überlappen sich
   *[other] ob { $count } Regeln von { $chain } je greifen können, wurde nicht entschieden: zu viele Regeln überlappen sich
 }
finding-segment-exposed = Pakete aus { $from } erreichen { $to }
finding-source-segment = { $site } öffnet seine Flüsse für ganze Segmente (source = "segment")
finding-source-too-wide = eine Regel lässt einen nötigen Dienst von { $from } nach { $to } für mehr Quellen zu als die angegebenen Geräte
finding-unfiltered = nichts filtert Pakete von { $from } nach { $to }: keine Kette sieht sie

explain-flow-blocked = Ein Fluss, den Zahlungen brauchen, ist von keiner Regel zugelassen. Das gezeigte Paket ist, was das Terminal senden würde; die gezeigte Zeile verweigert es. Lassen Sie den Fluss, und nicht mehr, vor dieser Zeile zu.
explain-flow-partly-blocked = Ein Teil eines nötigen Flusses wird verweigert: manche Ziele, manche Ports, eines von mehreren Geräten oder einer von mehreren Uplinks. Steht dabei "möglich", engen die Regeln das Ziel auf Adressen ein, die niemand mit den Namen dahinter vergleichen kann.
explain-reply-not-permitted = Das erste Paket kommt durch, die Antwort nicht. Eine Regel für bestehende Verbindungen fehlt, oder sie steht hinter einer, die Antworten verwirft.
explain-inbound-from-internet = Ein Paket, das an einem Uplink ankommt, erreicht ein Terminal oder ein anderes angegebenes Gerät, oft durch eine vergessene Portweiterleitung. Terminals öffnen Verbindungen nur selbst; nichts muss herein.
explain-management-exposed = Andere Adressen als die angegebenen erreichen einen Port, über den man Firewalls verwaltet. Beschränken Sie ihn auf die Adressen unter firewall.management.
explain-segment-exposed = Ein anderes Segment erreicht die Terminals, oder sie erreichen es. Segmentierung hält den Rest des Netzes aus dem Geltungsbereich von PCI DSS heraus.
explain-rule-any-any = Eine Regel lässt jeden Dienst zu jedem Ziel zu. Ein gekapertes Gerät könnte alles überallhin senden. Ersetzen Sie sie durch die Flüsse aus `tillgate plan`.
explain-source-too-wide = Der Dienst stimmt, die Quelle nicht: andere Geräte des Segments dürfen ihn auch nutzen. Nennen Sie die festen Adressen der Terminals.
explain-excess-permit = Eine Regel lässt Pakete zu, die keine Anforderung, kein Dienst und keine Ausnahme verlangt. Entfernen Sie sie, engen Sie sie ein, oder schreiben Sie die Ausnahme mit Grund, Verantwortlichem und letztem Tag auf.
explain-rule-shadowed = Alle Pakete dieser Regel nehmen frühere Regeln, sie tut also nichts. Entweder ist sie überflüssig, oder sie steht zu spät.
explain-rule-redundant = Ohne diese Regel änderte sich nichts.
explain-rule-conflicting = Diese Regel entscheidet über einen Teil derselben Pakete anders als eine frühere.
explain-rule-unused = Seit langer Zeit hat kein Paket diese Regel genutzt.
explain-rule-disabled = Eine abgeschaltete Regel prüft niemand, und ein Klick setzt sie in Kraft. Entfernen Sie sie, oder schreiben Sie auf, warum sie bleibt.
explain-rule-expired = Diese Regel hatte ein Ende, und der Tag ist vorbei. Entfernen Sie sie.
explain-object-unused = Keine Regel nutzt dieses Objekt.
explain-deny-not-logged = Verweigerte Pakete hinterlassen keinen Eintrag im Protokoll. Ohne ihn sieht man weder einen Angriff noch ein zu Unrecht blockiertes Terminal.
explain-anti-spoofing-missing = Ein Paket darf eine Quelladresse behaupten, die nicht von dort kommen kann, woher es kam. Verwerfen Sie solche Pakete vor allem anderen, oder lassen Sie den Rückweg prüfen.
explain-nat-missing = Pakete mit privaten Quelladressen verlassen einen Uplink unübersetzt; keine Antwort findet zurück.
explain-inspection-of-pos = Die Firewall entschlüsselt die Verbindungen der Terminals. Diese vertrauen ihrem Zertifikat nicht, und keines darf auf ihnen installiert werden: nehmen Sie sie von der Prüfung aus.
explain-insecure-service = Ein Dienst ohne Verschlüsselung ist zugelassen. PCI DSS verlangt eine schriftliche Begründung und was gegen das Risiko getan wird.
explain-cleartext-management = Die Firewall lässt sich über ein Protokoll ohne Verschlüsselung verwalten.
explain-cannot-express = Die Plattform kann nicht ausdrücken, was die Absicht verlangt; was stattdessen geschrieben wird, steht dabei.
explain-not-modelled = Die Analyse weiß nicht, was diese Anweisung tut. Sie wird nie übergangen: sie zählt als fähig, zuzulassen und zu verweigern, und wo das eine Antwort ändern könnte, lautet die Antwort "unentschieden".
explain-address-not-fixed = Regeln nennen Adressen. Ein Gerät ohne feste Adresse bekommt keine Regel und kann nicht kassieren. Reservieren Sie die Adresse per DHCP und schreiben Sie sie auf.
explain-requirement-stale = Anforderungen ändern sich. Die Quelle dieser hier wurde seit mehr als 90 Tagen nicht angesehen.
explain-requirement-disputed = Der Leitfaden verlangt das, keine andere Quelle tut es. Es wird geschrieben, weil ein Merkmal es eingeschaltet hat; beobachten Sie, ob etwas es nutzt, und schließen Sie es sonst.
explain-exception-expired = Der letzte Tag einer Ausnahme ist vorbei. Sie gehört nicht mehr zur Absicht, eine Regel für sie zählt also als Überschuss. Erneuern Sie sie, oder entfernen Sie die Regel.
explain-device-end-of-support = Der Hersteller pflegt dieses Gerät nicht mehr.

confidence-vendor = vom Hersteller veröffentlicht
confidence-partner = aus der Software des Herstellers oder von einem offiziellen Partner
confidence-third-party = von einem Händler, einem Integrator oder aus einem öffentlichen Beitrag
confidence-guide = nur im Leitfaden, mit dem dieses Projekt begann; nichts bestätigt es
confidence-inferred = folgt aus anderen Tatsachen; keine Quelle sagt es
confidence-observed = an einem Gerät gesehen

port-443 = Port 443 trägt HTTPS: alle Zahlungsdaten gehen in TLS durch das Internet. Er ist der eine Port, in dem alle Quellen übereinstimmen, und die meisten Netze lassen ihn bereits zu. Am Terminal lässt er sich nicht auf eine andere Nummer legen. Wer die Verbindung zur Prüfung aufbricht, lässt sie scheitern.
port-123 = Ist Port 123 (NTP) blockiert, können Terminals ihre Uhren nicht stellen. Läuft die Uhr davon, wirken Zertifikate ungültig und die Zeitstempel von Autorisierungen sind falsch: Zahlungen schlagen fehl, und mit ihnen Belege, Berichte und Updates. Er darf auf eine eigene Zeitquelle zeigen (services.ntp); weglassen lässt er sich nicht.
port-80 = Port 80 trägt unverschlüsseltes HTTP. Er ist für die Ersteinrichtung und für Weiterleitungen empfohlen, für Zahlungen nicht nötig; PCI DSS 1.2.6 verlangt eine Begründung, wo er offen bleibt.

pci-1-2-1 = Standards für die Konfiguration von Firewalls sind festgelegt und werden gepflegt.
pci-1-2-2 = Änderungen an Verbindungen und Firewall-Konfigurationen sind genehmigt und gelenkt.
pci-1-2-5 = Jeder erlaubte Dienst, jedes Protokoll und jeder Port ist benannt, genehmigt und hat einen geschäftlichen Grund.
pci-1-2-6 = Für unsichere Dienste in Gebrauch sind Maßnahmen gegen ihr Risiko festgelegt.
pci-1-2-7 = Firewall-Konfigurationen werden mindestens alle sechs Monate überprüft.
pci-1-2-8 = Konfigurationsdateien sind vor unbefugtem Zugriff geschützt und stimmen mit dem überein, was läuft.
pci-1-3-1 = Herein in die Umgebung der Kartendaten kommt nur, was nötig ist; alles andere wird verweigert.
pci-1-3-2 = Hinaus aus der Umgebung der Kartendaten geht nur, was nötig ist; alles andere wird verweigert.
pci-1-3-3 = Zwischen jedem Funknetz und der Umgebung der Kartendaten steht eine Firewall, die standardmäßig verweigert.
pci-1-4-1 = Zwischen vertrauten und nicht vertrauten Netzen stehen Firewalls.
pci-1-4-2 = Aus nicht vertrauten Netzen kommt nur Verkehr zu öffentlichen Diensten und Antworten auf zugelassene Verbindungen.
pci-1-4-3 = Gefälschte Quelladressen werden erkannt und ferngehalten.
pci-2-2-4 = Nur nötige Dienste sind eingeschaltet; alles andere ist entfernt oder abgeschaltet.
pci-2-2-7 = Verwaltungszugriff über das Netz ist verschlüsselt.
pci-4-2-1 = Starke Kryptographie schützt Kartennummern in offenen Netzen.
pci-10-2-1 = Prüfprotokolle sind eingeschaltet und aktiv.
pci-10-6-2 = Benannte Zeitserver liefern die Uhrzeit; nur sie holen sie von außen.
pci-12-3-4 = Hardware und Software werden mindestens jährlich überprüft, auch auf die Pflege durch Hersteller.
explain-dns-failed = Ein Resolver, den die Terminals verwenden, antwortet nicht, mit einem Fehler oder falsch: private Adressen für öffentliche Namen oder Adressen für Namen, die es nicht gibt. Ohne Namen zeigt ein Terminal offline. Fragen Sie einen anderen Resolver, um Leitung und Resolver zu unterscheiden.
explain-port-unreachable = Ein benötigter Dienst wurde von hier nicht erreicht. Abgelehnt heißt, dass jemand nein sagte; verboten, dass ein Filter es sagte; still, dass Pakete verschwinden, was die meisten Firewalls mit Verworfenem tun.
explain-tls-failed = Der Dienst ist erreichbar, eine gesicherte Verbindung kommt nicht zustande: das Zertifikat ist abgelaufen, trägt einen anderen Namen oder stammt von einem unbekannten Aussteller, oder der Server spricht nur alte Versionen. Eine falsche Uhr des prüfenden Rechners sieht aus wie ein abgelaufenes Zertifikat.
explain-tls-intercepted = Diesem Zertifikat traut dieser Rechner, aber keine öffentliche Stammstelle: unterwegs bricht etwas Verbindungen auf. Terminals trauen ihm nicht und scheitern. Nehmen Sie den Verkehr der Terminals von der Prüfung aus; installieren Sie nie ein Zertifikat auf einem Terminal.
explain-tls-weak = Der Server nimmt alte Versionen, schwache Verfahren oder kurze Schlüssel an. PCI DSS verlangt starke Kryptografie, wo Kartendaten offene Netze queren.
explain-certificate-expiring = Das Zertifikat endet binnen 30 Tagen. Wer den Server betreibt, muss es erneuern; danach scheitern Verbindungen.
explain-http-failed = Eine Seite über Port 80 kommt nicht oder nicht, wie sie soll. Die Ersteinrichtung eines Geräts und Verbindungsprüfungen verwenden ihn.
explain-ntp-unreachable = Ein Zeitserver gibt keine brauchbare Zeit: er antwortet nicht, weist mit einem Kiss-Code ab oder sagt selbst, dass er nicht synchronisiert ist. Zahlungen gehen, bis die Uhr des Terminals abweicht.
explain-clock-off = Eine Uhr geht falsch: die eines Zeitservers gegen die anderen oder die dieses Rechners gegen alle. Mit falscher Uhr wirken Zertifikate ungültig, und Zeitstempel von Autorisierungen sind falsch.
explain-sip-failed = Die Sprachsignalisierung bleibt ohne Antwort oder kommt verändert zurück: ein Helfer (ALG) auf einem Router schreibt sie um. Schalten Sie ihn aus. Zahlungen sind nicht betroffen.
explain-port-conflict = Ein anderes Programm auf diesem Rechner hält einen Port, den eine Zahlungsanwendung braucht; sie kann nicht starten, oder Terminals erreichen das falsche Programm.
explain-segment-reachable = Von wo dieser Test lief, ist erreichbar, was nicht erreichbar sein darf, oder es kommt etwas hinaus, das es nicht darf. Die Segmentierung hält das übrige Netz aus dem Geltungsbereich von PCI DSS; dies ist der Beleg, dass sie nicht hält.
explain-path-mtu = Große Pakete verschwinden unterwegs, und niemand sagt es: kleine Antworten gehen, große hängen. Lassen Sie ICMP „Fragmentierung nötig“ und „Paket zu groß“ zu, oder begrenzen Sie die MSS.
explain-latency-high = Antworten sind langsam oder gehen verloren. Terminals geben nach einigen Sekunden auf; Autorisierungen werden langsam oder scheitern gelegentlich.
explain-captive-portal = Eine Anmeldeseite antwortet anstelle des Internets. Kein Terminal kann sich dort anmelden: lassen Sie die Terminals daran vorbei.
explain-port-open-unexpected = Ein Gerät bietet einen Dienst an, den im Bestand nichts verlangt. Schalten Sie ihn ab, oder tragen Sie ein, wozu er gebraucht wird.
explain-device-unknown = Im Segment der Terminals steht ein Gerät, das der Bestand nicht kennt. Suchen Sie es; tragen Sie es ein oder entfernen Sie es.
explain-device-missing = Ein eingetragenes Gerät antwortete nicht: ausgeschaltet, ausgesteckt oder unter anderer Adresse.
explain-device-misplaced = Ein Gerät wurde in einem anderen Segment oder unter einer anderen Adresse gesehen, als der Bestand sagt. Seine Regeln passen nicht zu ihm.
explain-scan-incomplete = Ein Scan konnte nicht alles sehen, wonach er suchte: die Zeit reichte nicht, Antworten gingen verloren, oder ein Recht fehlte. Was er nicht sah, kann trotzdem da sein; ein unvollständiger Scan ist daher nie ein sauberer.
pci-4-2-1-1 = Ein Verzeichnis der Schlüssel und Zertifikate, die Kartennummern in offenen Netzen schützen, wird geführt.
pci-10-6-1 = Die Uhren aller Systeme sind synchronisiert.
pci-11-4-5 = Die Segmentierung wird mindestens einmal im Jahr und nach Änderungen geprüft: sie trennt die Kartendatenumgebung ab.
pci-12-5-1 = Ein Verzeichnis der Systeme im Geltungsbereich wird geführt und ist aktuell.
explain-optional-unreachable = Der Standort lässt es zu, und Zahlungen brauchen es nicht: eine Ausnahme, eine empfohlene Zeile. Ist es in Gebrauch, steht ihm etwas im Weg; wenn nicht, kann die Erlaubnis weg.
