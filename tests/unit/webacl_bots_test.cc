// SPDX-License-Identifier: MIT
// Bots: who says they are one, by what they are believed, and what is remembered of them.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

#include "appliance/guard/waf/bots/bots.h"
#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/scratch.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace {

using namespace headgate;
using namespace headgate::guard::waf;
using Answer = Resolver::Answer;
using std::chrono::hours;
using std::chrono::seconds;

base::IpAddress address(const std::string& text) { return *base::IpAddress::parse(text); }

Domains domains(std::vector<std::string> names) {
  return std::make_shared<const std::vector<std::string>>(std::move(names));
}

std::shared_ptr<const schema::WebAcl> load(const std::string& bots, const std::string& rules) {
  schema::MemoryTree tree(
      {{"acl.yaml",
        "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: acl }\nspec:\n  bots: " + bots +
            "\n  rules: " + rules + "\n"},
       {"bots/bing.json",
        R"({"prefixes": [{"ipv4Prefix": "157.55.39.0/24"}, {"ipv6Prefix": "2620:1ec:c11::/48"}]})"}});
  schema::Loader loader;
  const auto loaded = loader.load(tree);
  for (const auto& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == schema::Diagnostic::Severity::Error) FAIL(diagnostic.text());
  REQUIRE(loaded.model != nullptr);
  return loaded.model->web_acls.at("acl");
}

constexpr const char* kAny = "[{ name: any, when: { label: \"bot:\" }, action: count }]";

/// DNS that answers when it is told to, and a clock that moves when it is told to.
struct Dns {
  struct Question {
    base::IpAddress address;
    Domains domains;
    Resolver::Done done;
  };
  std::vector<Question> questions = {};
  bool refuses = false;
  base::MonoTime now{hours(1000)};

  Verdicts::Ask ask() {
    return [this](const base::IpAddress& asked, const Domains& within, Resolver::Done done) {
      if (refuses) return false;
      questions.push_back({asked, within, std::move(done)});
      return true;
    };
  }
  Verdicts::Options options() {
    Verdicts::Options options;
    options.verified = hours(6);
    options.unverified = hours(1);
    options.failed = seconds(30);
    options.clock = [this] { return now; };
    return options;
  }
  /// Answers the one question that waits.
  void answer(Answer answer) {
    REQUIRE(questions.size() == 1);
    const Question question = std::move(questions.front());
    questions.clear();
    question.done(answer);
  }
};

/// The labels of a request with these User-Agent fields.
struct Labelled {
  explicit Labelled(const std::string& list) : bots(*Bots::compile(load(list, kAny)->bots)) {}
  std::vector<std::string> of(const std::string& client, const std::vector<std::string>& agents,
                              Verdicts* verdicts = nullptr) {
    std::vector<http::Field> fields = {{"accept", "googlebot"}};
    for (const std::string& agent : agents) fields.push_back({"user-agent", agent});
    View view;
    view.fields = fields;
    if (!client.empty()) view.client = address(client);
    std::pmr::vector<std::string_view> labels;
    std::string buffer;
    trace.clear();
    const Bots::Trace note = [this](std::string text) { trace.push_back(std::move(text)); };
    bots.label(view, verdicts, buffer, labels, &note);
    return {labels.begin(), labels.end()};
  }
  Bots bots;
  std::vector<std::string> trace;
};

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("who says it is a bot is believed if it comes from its ranges") {
  Labelled bots(
      "[{ name: partner, userAgent: [PartnerFetch/, crawl it], ranges: [203.0.113.0/24, "
      "{ file: bots/bing.json }] }]");
  const Labels verified = {"bot:verified", "bot:verified:partner"};
  CHECK(bots.of("203.0.113.7", {"Mozilla/5.0 (partnerFETCH/2)"}) == verified);
  CHECK(bots.of("157.55.39.1", {"I Crawl It all"}) == verified);
  CHECK(bots.of("2620:1ec:c11::9", {"PartnerFetch/1"}) == verified);
  CHECK(bots.trace ==
        Labels{"User-Agent says bot partner: 2620:1ec:c11::9 is in its ranges -> label "
               "bot:verified:partner"});
  CHECK(bots.of("203.0.114.7", {"PartnerFetch/1"}) ==
        Labels{"bot:unverified", "bot:unverified:partner"});
  CHECK(bots.trace ==
        Labels{"User-Agent says bot partner: 203.0.114.7 is not in its ranges -> label "
               "bot:unverified:partner"});
  CHECK(bots.of("203.0.113.7", {"PartnerFetch"}).empty());
  CHECK(bots.of("203.0.113.7", {}).empty());
}

TEST_CASE("every User-Agent field is looked at, as far as crawlers have ever written one") {
  Labelled bots("[{ name: b, userAgent: TheBot, ranges: [203.0.113.0/24] }]");
  CHECK(bots.of("192.0.2.1", {"browser", "thebot"}).size() == 2);
  CHECK(bots.of("192.0.2.1", {std::string(1000, 'x'), "thebot"}).size() == 2);
  CHECK(bots.of("192.0.2.1", {"the", "bot"}).empty());
  CHECK(bots.of("192.0.2.1", {std::string(2048, 'x') + "thebot"}).empty());
  CHECK(bots.of("192.0.2.1", {std::string(3000, 'x'), "thebot"}).empty());
}

TEST_CASE("each bot that is named has its label, and what they share is set once") {
  Labelled bots(
      "[{ name: a, userAgent: a-bot, ranges: [203.0.113.0/24] }, { name: b, userAgent: "
      "b-bot, ranges: [203.0.113.0/25] }, { name: c, userAgent: c-bot, ranges: "
      "[192.0.2.0/24] }]");
  CHECK(bots.of("203.0.113.1", {"a-bot b-bot c-bot"}) == Labels{"bot:verified", "bot:verified:a",
                                                                "bot:verified:b", "bot:unverified",
                                                                "bot:unverified:c"});
}

TEST_CASE("DNS is asked where ranges do not decide, and only once") {
  Labelled bots("[googlebot, { name: bingbot, ranges: { file: bots/bing.json } }]");
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  const std::string bingbot = "Mozilla/5.0 (compatible; bingbot/2.0)";
  CHECK(bots.of("157.55.39.1", {bingbot}, &verdicts) ==
        Labels{"bot:verified", "bot:verified:bingbot"});
  CHECK(dns.questions.empty());
  const Labels pending = {"bot:pending", "bot:pending:bingbot"};
  CHECK(bots.of("40.77.167.1", {bingbot}, &verdicts) == pending);
  CHECK(bots.trace ==
        Labels{"User-Agent says bot bingbot: DNS has not said whether 40.77.167.1 has a "
               "name in search.msn.com -> label bot:pending:bingbot"});
  CHECK(bots.of("40.77.167.1", {bingbot}, &verdicts) == pending);
  REQUIRE(dns.questions.size() == 1);
  CHECK(dns.questions[0].address == address("40.77.167.1"));
  CHECK(*dns.questions[0].domains == Labels{"search.msn.com"});
  dns.answer(Answer::Confirmed);
  CHECK(bots.of("40.77.167.1", {bingbot}, &verdicts) ==
        Labels{"bot:verified", "bot:verified:bingbot"});
  CHECK(bots.trace ==
        Labels{"User-Agent says bot bingbot: 40.77.167.1 has a name in search.msn.com -> "
               "label bot:verified:bingbot"});
  // The same address is no Googlebot for that.
  CHECK(bots.of("40.77.167.1", {"Googlebot/2.1"}, &verdicts) ==
        Labels{"bot:pending", "bot:pending:googlebot"});
  dns.answer(Answer::Denied);
  CHECK(bots.of("40.77.167.1", {"Googlebot/2.1"}, &verdicts) ==
        Labels{"bot:unverified", "bot:unverified:googlebot"});
}

TEST_CASE("offline, and without an address, DNS is not asked") {
  Labelled bots("[googlebot]");
  CHECK(bots.of("66.249.66.1", {"Googlebot/2.1"}) ==
        Labels{"bot:pending", "bot:pending:googlebot"});
  CHECK(bots.trace ==
        Labels{"User-Agent says bot googlebot: a running edge asks DNS whether 66.249.66.1 "
               "has a name in google.com or googlebot.com -> label bot:pending:googlebot"});
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  CHECK(bots.of("", {"Googlebot/2.1"}, &verdicts) ==
        Labels{"bot:unverified", "bot:unverified:googlebot"});
  CHECK(dns.questions.empty());
}

TEST_CASE("rules have the labels, also one that has waited for a body") {
  const auto source =
      load("[{ name: a, userAgent: a-bot, ranges: [203.0.113.0/24] }, googlebot]",
           "[{ name: body, when: { all: [{ label: \"bot:verified\" }, { body: { exact: "
           "x } }] }, action: count }, { name: liar, when: { label: "
           "\"bot:unverified:a\" }, action: block }, { name: soon, when: { label: "
           "\"bot:pending:\" }, action: { block: { status: 503 } } }]");
  const auto shared = std::make_shared<Shared>();
  Acl::Options options;
  options.shared = shared;
  const auto acl = Acl::compile(*source, options);
  REQUIRE(acl);
  Scratch scratch;
  std::pmr::monotonic_buffer_resource memory;
  std::vector<http::Field> fields = {{"user-agent", "a-bot"}};
  View view;
  view.path = view.target = "/";
  view.method = "POST";
  view.fields = fields;
  view.client = address("203.0.113.1");
  view.body_state = View::Body::Pending;
  Inspection verified(memory);
  (*acl)->inspect(view, verified, scratch, memory);
  CHECK(verified.outcome == Inspection::Outcome::NeedsBody);
  view.body_state = View::Body::Whole;
  view.body = "x";
  (*acl)->inspect(view, verified, scratch, memory);
  CHECK(verified.outcome == Inspection::Outcome::Allow);
  CHECK(verified.matched.size() == 1);
  CHECK(Labels(verified.labels.begin(), verified.labels.end()) ==
        Labels{"bot:verified", "bot:verified:a"});

  view.client = address("203.0.114.1");
  Inspection liar(memory);
  (*acl)->inspect(view, liar, scratch, memory);
  CHECK(liar.outcome == Inspection::Outcome::Block);
  CHECK(liar.rule->name == "liar");

  // Whoever only asks what would happen asks nobody, whatever edge it is on.
  fields[0].value = "Googlebot/2.1";
  view.offline = true;
  Inspection soon(memory);
  (*acl)->inspect(view, soon, scratch, memory);
  REQUIRE(soon.rule != nullptr);
  CHECK(soon.rule->name == "soon");
  const Verdicts::Stats stats = shared->bots().stats();
  CHECK(stats.verdicts == 0);
  CHECK(stats.failed + stats.refused == 0);
}

TEST_CASE("a name is within a domain if it is the domain or below it") {
  const std::vector<std::string> google = {"googlebot.com", "google.com"};
  for (const char* name :
       {"crawl-66-249-66-1.googlebot.com", "a.b.google.com", "Crawl.GoogleBot.COM",
        "crawl.googlebot.com.", "googlebot.com", "a_b.google.com"})
    CHECK_MESSAGE(is_within(name, google), name);
  for (const char* name : {"evilgooglebot.com", "googlebot.com.evil.example", "googlebot.org",
                           "com", "", ".", "crawl\\.googlebot.com", "crawl googlebot.com",
                           "a\\000.googlebot.com", "a.googlebot.com..", "-oglebot.com"})
    CHECK_MESSAGE(!is_within(name, google), name);
}

TEST_CASE("a verdict counts for its lifetime, and as long again while DNS is asked anew") {
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  const Domains within = domains({"example.com"});
  const base::Hash128 identity = base::hash128("example.com");
  const auto ask = [&] { return verdicts.of(address("192.0.2.1"), within, identity); };
  CHECK(ask() == Verdict::Pending);
  dns.now += hours(100);  // an answer may take its time
  CHECK(ask() == Verdict::Pending);
  dns.answer(Answer::Confirmed);
  CHECK(ask() == Verdict::Verified);
  dns.now += hours(6) - seconds(1);
  CHECK(ask() == Verdict::Verified);
  CHECK(dns.questions.empty());
  dns.now += seconds(1);
  CHECK(ask() == Verdict::Verified);
  CHECK(ask() == Verdict::Verified);
  CHECK(dns.questions.size() == 1);
  dns.now += hours(6) - seconds(1);
  CHECK(ask() == Verdict::Verified);
  dns.now += seconds(1);
  CHECK(ask() == Verdict::Pending);
  dns.answer(Answer::Denied);
  CHECK(ask() == Verdict::Unverified);
  dns.now += hours(1) - seconds(1);
  CHECK(ask() == Verdict::Unverified);
  CHECK(dns.questions.empty());
  dns.now += seconds(1);
  CHECK(ask() == Verdict::Unverified);
  dns.answer(Answer::Confirmed);
  CHECK(ask() == Verdict::Verified);
  const Verdicts::Stats stats = verdicts.stats();
  CHECK(stats.verified == 2);
  CHECK(stats.unverified == 1);
  CHECK(stats.verdicts == 1);
}

TEST_CASE("a failure is no verdict: what was known still counts, and DNS has a pause") {
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  const Domains within = domains({"example.com"});
  const base::Hash128 identity = base::hash128("example.com");
  const auto ask = [&] { return verdicts.of(address("192.0.2.1"), within, identity); };
  ask();
  dns.answer(Answer::Failed);
  CHECK(ask() == Verdict::Pending);
  dns.now += seconds(30) - std::chrono::milliseconds(1);
  CHECK(ask() == Verdict::Pending);
  CHECK(dns.questions.empty());
  dns.now += std::chrono::milliseconds(1);
  CHECK(ask() == Verdict::Pending);
  dns.answer(Answer::Confirmed);
  dns.now += hours(6);
  ask();
  dns.answer(Answer::Failed);
  CHECK(ask() == Verdict::Verified);
  CHECK(dns.questions.empty());
  dns.now += hours(6);
  CHECK(ask() == Verdict::Pending);
  CHECK(verdicts.stats().failed == 2);
}

TEST_CASE("who could not be asked about is asked about with the next request") {
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  const Domains within = domains({"example.com"});
  dns.refuses = true;
  CHECK(verdicts.of(address("192.0.2.1"), within, {}) == Verdict::Pending);
  CHECK(verdicts.of(address("192.0.2.1"), within, {}) == Verdict::Pending);
  CHECK(verdicts.stats().refused == 2);
  dns.refuses = false;
  CHECK(verdicts.of(address("192.0.2.1"), within, {}) == Verdict::Pending);
  dns.answer(Answer::Confirmed);
  CHECK(verdicts.of(address("192.0.2.1"), within, {}) == Verdict::Verified);
}

TEST_CASE("an answer that is there at once is no trouble") {
  Verdicts verdicts([](const base::IpAddress&, const Domains&, const Resolver::Done& done) {
    done(Answer::Confirmed);
    return true;
  });
  CHECK(verdicts.of(address("192.0.2.1"), domains({"a.example"}), {}) == Verdict::Pending);
  CHECK(verdicts.of(address("192.0.2.1"), domains({"a.example"}), {}) == Verdict::Verified);
}

TEST_CASE("addresses and domains do not share verdicts") {
  Dns dns;
  Verdicts verdicts(dns.ask(), dns.options());
  const Domains within = domains({"example.com"});
  const base::Hash128 one = base::hash128("one");
  verdicts.of(address("192.0.2.1"), within, one);
  dns.answer(Answer::Confirmed);
  CHECK(verdicts.of(address("192.0.2.1"), within, one) == Verdict::Verified);
  CHECK(verdicts.of(address("192.0.2.2"), within, one) == Verdict::Pending);
  CHECK(verdicts.of(address("c000:201::"), within, one) == Verdict::Pending);  // the same octets
  CHECK(verdicts.of(address("192.0.2.1"), within, base::hash128("two")) == Verdict::Pending);
}

TEST_CASE("many addresses take bounded memory, and nothing from verified ones") {
  Dns dns;
  Verdicts::Options options = dns.options();
  options.max_verified = 10;
  options.max_others = 100;
  Verdicts verdicts(dns.ask(), options);
  const Domains within = domains({"example.com"});
  const auto ask = [&](int network, int host) {
    return verdicts.of(address("10.0." + std::to_string(network) + "." + std::to_string(host)),
                       within, {});
  };
  for (int i = 0; i < 10; ++i) {
    ask(0, i);
    dns.answer(Answer::Confirmed);
  }
  for (int network = 1; network < 20; ++network)
    for (int host = 0; host < 250; ++host) ask(network, host);
  CHECK(verdicts.stats().verdicts == 110);
  for (int i = 0; i < 10; ++i) CHECK(ask(0, i) == Verdict::Verified);
  // Answers about who has been forgotten meanwhile do not let it grow either.
  for (const Dns::Question& question : std::exchange(dns.questions, {}))
    question.done(Answer::Denied);
  CHECK(verdicts.stats().verdicts == 110);
  CHECK(ask(19, 249) == Verdict::Unverified);
  CHECK(ask(1, 0) == Verdict::Pending);  // had not come for longest
  dns.answer(Answer::Confirmed);
  CHECK(ask(1, 0) == Verdict::Verified);
  CHECK(ask(0, 1) == Verdict::Verified);
  CHECK(ask(0, 0) == Verdict::Pending);  // gave its place
}

namespace {

/// A DNS server that never answers, and is not gone either.
class Silence {
 public:
  Silence() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&here), size) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&here), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  ~Silence() { ::close(fd_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  const std::string& address() const { return address_; }
  /// Returns when something has come.
  void wait() const {
    char octet = 0;
    REQUIRE(::recv(fd_, &octet, 1, 0) >= 0);
  }

 private:
  int fd_;
  std::string address_;
};

}  // namespace

TEST_CASE(
    "a network that waits for its names leaves room for others, and the end waits for nobody") {
  const Silence silence;
  Resolver::Options options;
  options.servers = {silence.address()};
  options.patience = hours(1);
  options.at_once = 2;
  options.outstanding = 10;
  options.of_network = 4;
  const Domains within = domains({"example.com"});
  int answers = 0;
  {
    Resolver resolver(options);
    const auto ask = [&](const std::string& text) {
      return resolver.ask(address(text), within, [&answers](Answer) { ++answers; });
    };
    for (int i = 0; i < 4; ++i) CHECK(ask("192.0.2." + std::to_string(i)));
    CHECK(!ask("192.0.2.200"));
    CHECK(ask("192.0.3.1"));
    for (int i = 0; i < 4; ++i) CHECK(ask("2001:db8:0:" + std::to_string(i) + "::1"));
    CHECK(!ask("2001:db8:0:ffff::1"));
    CHECK(ask("2001:db8:1::1"));
    CHECK(!ask("198.51.100.1"));  // ten are enough for all
    silence.wait();
  }
  CHECK(answers == 0);
}

TEST_CASE("who waits is asked about when all before have failed at once") {
  Resolver::Options options;
  options.servers = {"255.255.255.255:53"};  // no socket may be connected to it
  options.at_once = 1;
  options.of_network = 100;
  std::mutex mutex;
  std::condition_variable changed;
  int failed = 0;
  Resolver resolver(options);
  for (int i = 0; i < 100; ++i)
    CHECK(resolver.ask(address("192.0.2." + std::to_string(i)), domains({"example.com"}),
                       [&](Answer answer) {
                         const std::lock_guard lock(mutex);
                         failed += answer == Answer::Failed ? 1 : 0;
                         changed.notify_all();
                       }));
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, std::chrono::minutes(1), [&] { return failed == 100; }));
}
