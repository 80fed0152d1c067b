// SPDX-License-Identifier: MIT
// What the fleet and operators want of a machine of the appliance image, and what becomes of it;
// the updater of the image is played here.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>

#include "reconciler/machine/updater.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;

namespace {

struct Fixture {
  test::ScratchFolder folder;
  Disk disk;
  std::shared_ptr<schema::Fleet> fleet = std::make_shared<schema::Fleet>();
  std::string wait;
  std::map<std::string, std::string> conditions;
  std::vector<Json> events;
  base::MonoTime now{};
  std::unique_ptr<Updater> updater;

  Fixture() {
    fleet->releases = "https://releases.test/edge";
    open();
  }

  void open(const std::string& releases = "") {
    updater.reset();
    UpdaterOptions options;
    options.folder = folder / "slots";
    options.state = folder.path();
    options.releases = releases;
    options.live = [this] {
      auto model = std::make_shared<schema::Model>();
      model->fleet = fleet;
      return std::shared_ptr<const schema::Model>(std::move(model));
    };
    options.must_wait = [this](const schema::Model&) { return wait; };
    options.show = [this](const std::string& type, const std::string& reason,
                          const std::string& message) {
      if (reason.empty())
        conditions.erase(type);
      else
        conditions[type] = reason + ": " + message;
    };
    options.record = [this](const Json& event) { events.push_back(event); };
    options.log = [](const std::string&) {};
    options.mono_now = [this] { return now; };
    auto opened = Updater::open(std::move(options), disk);
    REQUIRE(opened.has_value());
    updater = std::move(*opened);
  }

  /// The updater of the image: `version` runs, and this became of the upgrade.
  void tells(const std::string& version, const std::string& id = "", const std::string& state = "",
             const std::string& message = "") {
    Json json{{"version", version}, {"firmware", "UEFI"}, {"slots", Json::array()}};
    if (!id.empty())
      json["upgrade"] =
          Json{{"id", id}, {"version", "0.2.0"}, {"state", state}, {"message", message}};
    test::write(folder / "slots/status.json", json.dump());
    updater->look();
  }

  std::optional<Wish> wish() const { return parse_wish(test::read(folder / "upgrade/request")); }
};

}  // namespace

TEST_CASE("a version that a commit names is asked for, and nothing while it runs already") {
  Fixture machine;
  machine.fleet->version = "0.1.0";
  machine.tells("0.1.0");
  CHECK_FALSE(machine.wish());
  machine.fleet->version = "0.2.0";
  machine.updater->look();
  CHECK(test::read(machine.folder / "upgrade/request") ==
        "id=fleet-0.2.0-1\ndo=upgrade\nversion=0.2.0\n"
        "from=https://releases.test/edge/headgate_0.2.0.upgrade\nrestart=now\nby=fleet\n");
  CHECK(machine.updater->status().at("wanted").at("version") == "0.2.0");
  // A commit that takes it back takes the wish back.
  machine.fleet->version.clear();
  machine.updater->look();
  CHECK_FALSE(machine.wish());
}

TEST_CASE("the machine does not restart outside of a change window") {
  Fixture machine;
  machine.wait = "waits for the window that opens at noon";
  machine.fleet->version = "0.2.0";
  machine.tells("0.1.0");
  CHECK_FALSE(machine.wish()->may_restart);
  machine.tells("0.1.0", "fleet-0.2.0-1", "Written", "in the slot that does not run");
  CHECK(
      machine.conditions.at("Upgrading") ==
      "Written: 0.2.0: in the slot that does not run; it waits for the window that opens at noon");
  machine.wait.clear();
  machine.updater->look();
  CHECK(machine.wish()->may_restart);
  CHECK(machine.wish()->id == "fleet-0.2.0-1");
  // An operator need not wait.
  machine.wait = "waits for the window that opens at noon";
  REQUIRE(machine.updater->upgrade_from("https://releases.test/x.upgrade", true).has_value());
  CHECK(machine.wish()->may_restart);
  machine.updater->look();
  CHECK(machine.wish()->may_restart);
  REQUIRE(machine.updater->upgrade_from("https://releases.test/x.upgrade", false).has_value());
  CHECK_FALSE(machine.wish()->may_restart);
  machine.wait.clear();
  machine.updater->look();
  CHECK(machine.wish()->may_restart);
}

TEST_CASE("a wish is read as it was written, and not in part") {
  Wish wish;
  wish.id = "operator-1";
  wish.version = "0.2.0";
  wish.from = "https://releases.test/x.upgrade?a=b";
  wish.by_operator = wish.urgent = wish.may_restart = true;
  const std::string text = wish.text();
  REQUIRE(parse_wish(text).has_value());
  CHECK(parse_wish(text)->text() == text);
  for (std::size_t end = 0; end < text.find("by="); ++end)
    CHECK_FALSE(parse_wish(text.substr(0, end)));
}

TEST_CASE("an operator's word outlives the edge") {
  Fixture machine;
  machine.tells("0.1.0");
  REQUIRE(machine.updater->upgrade_from("https://releases.test/x.upgrade", false).has_value());
  machine.open();
  machine.fleet->version = "0.2.0";
  machine.updater->look();
  CHECK(machine.wish()->by_operator);
  CHECK(machine.updater->status().at("wanted").at("from") == "https://releases.test/x.upgrade");
}

TEST_CASE("what was taken back is told once, and not tried again") {
  Fixture machine;
  machine.fleet->version = "0.2.0";
  machine.tells("0.1.0");
  for (int again = 0; again < 3; ++again) {
    machine.tells("0.1.0", "fleet-0.2.0-1", "Reverted", "/readyz did not answer; back on 0.1.0");
    machine.now += std::chrono::hours(1);
  }
  CHECK(machine.conditions.at("UpgradeFailed") ==
        "Reverted: 0.2.0: /readyz did not answer; back on 0.1.0");
  CHECK(machine.wish()->id == "fleet-0.2.0-1");
  machine.open();  // the edge was started again
  machine.updater->look();
  REQUIRE(machine.events.size() == 1);
  CHECK(machine.events[0] == Json{{"type", "upgradeFailed"},
                                  {"version", "0.2.0"},
                                  {"running", "0.1.0"},
                                  {"reason", "Reverted"},
                                  {"message", "/readyz did not answer; back on 0.1.0"}});
  machine.fleet->version = "0.2.1";
  machine.updater->look();
  CHECK(machine.wish()->id == "fleet-0.2.1-1");
}

TEST_CASE("what could not be fetched is asked for again after a while") {
  Fixture machine;
  machine.fleet->version = "0.2.0";
  machine.tells("0.1.0");
  machine.tells("0.1.0", "fleet-0.2.0-1", "NotFetched", "404");
  CHECK(machine.wish()->id == "fleet-0.2.0-1");
  machine.now += std::chrono::minutes(6);
  machine.updater->look();
  CHECK(machine.wish()->id == "fleet-0.2.0-2");
  machine.tells("0.2.0", "fleet-0.2.0-2", "Done", "upgraded from 0.1.0");
  CHECK(machine.conditions.empty());
  CHECK(machine.events.back() ==
        Json{{"type", "upgraded"}, {"version", "0.2.0"}, {"message", "upgraded from 0.1.0"}});
  CHECK_FALSE(machine.updater->status().contains("wanted"));
}

TEST_CASE("an operator's word comes before the fleet's until it is done") {
  Fixture machine;
  machine.fleet->version = "0.2.0";
  machine.tells("0.1.0");
  REQUIRE(machine.updater->upgrade_from("https://releases.test/x.upgrade", false).has_value());
  machine.updater->look();
  const std::string id = machine.wish()->id;
  CHECK(machine.wish()->by_operator);
  machine.tells("0.1.0", id, "Fetching", "https://releases.test/x.upgrade");
  const auto busy = machine.updater->upgrade_from("https://releases.test/y.upgrade", false);
  REQUIRE_FALSE(busy.has_value());
  CHECK(busy.error().context ==
        "not asked: 0.2.0 is under way: Fetching; ask again when that is over");
  // Nor is the file that is perhaps being written replaced.
  REQUIRE(machine.updater->receive(0, "other").has_value());
  CHECK_FALSE(machine.updater->upgrade_received(false).has_value());
  CHECK(test::read(machine.folder / "upgrade/received.upgrade").empty());
  machine.tells("0.1.0", id, "Refused", "not signed");
  CHECK(machine.wish()->id == "fleet-0.2.0-1");
}

TEST_CASE("without a word where it is, somebody is told") {
  Fixture machine;
  machine.fleet->version = "0.2.0";
  machine.fleet->releases.clear();
  machine.tells("0.1.0");
  machine.updater->look();
  CHECK(machine.conditions.at("UpgradeFailed")
            .starts_with("NoReleases: the fleet's version is 0.2.0"));
  machine.open("https://mirror.test");
  for (const char* of_the_fleet : {"", "https://releases.test/edge"}) {
    machine.fleet->releases = of_the_fleet;
    machine.updater->look();
    CHECK(machine.wish()->from == "https://mirror.test/headgate_0.2.0.upgrade");
  }
}

TEST_CASE("a file comes in pieces, one behind the other") {
  Fixture machine;
  machine.tells("0.1.0");
  REQUIRE(machine.updater->receive(0, "one").has_value());
  CHECK_FALSE(machine.updater->receive(2, "two").has_value());
  REQUIRE(machine.updater->receive(3, "two").has_value());
  REQUIRE(machine.updater->upgrade_received(false).has_value());
  CHECK(test::read(machine.folder / "upgrade/received.upgrade") == "onetwo");
  CHECK(machine.wish()->from == "received");
  CHECK_FALSE(machine.updater->upgrade_received(false).has_value());
  REQUIRE(machine.updater->receive(0, "x").has_value());
  REQUIRE(machine.updater->receive(0, "y").has_value());  // who begins anew
  REQUIRE(machine.updater->upgrade_received(false).has_value());
  CHECK(test::read(machine.folder / "upgrade/received.upgrade") == "y");
}

TEST_CASE("a file has an end, and is no way to another file") {
  Fixture machine;
  machine.tells("0.1.0");
  const std::string part = machine.folder / "upgrade/received.part";
  test::write(part, "");
  std::filesystem::resize_file(part, Incoming::kMostOctets - 1);
  CHECK(machine.updater->receive(Incoming::kMostOctets - 1, "x").has_value());
  const auto more = machine.updater->receive(Incoming::kMostOctets, "x");
  REQUIRE_FALSE(more.has_value());
  CHECK(more.error().context == "an upgrade has at most 1073741824 octets");
  std::filesystem::remove(part);
  test::write(machine.folder / "another", "another");
  std::filesystem::create_symlink(machine.folder / "another", part);
  CHECK_FALSE(machine.updater->receive(0, "x").has_value());
  CHECK_FALSE(machine.updater->upgrade_received(false).has_value());
  CHECK(test::read(machine.folder / "another") == "another");
}

TEST_CASE("while the updater has told nothing, or nothing that can be read, nothing is asked for") {
  Fixture machine;
  machine.fleet->version = "0.2.0";
  machine.updater->look();
  CHECK_FALSE(machine.wish());
  for (const char* damaged : {"", "[]", "{\"version\": 7}", "{\"version\"", "\xff"}) {
    test::write(machine.folder / "slots/status.json", damaged);
    machine.updater->look();
    CHECK_FALSE(machine.wish());
    CHECK_FALSE(machine.updater->reset().has_value());
  }
  machine.tells("0.1.0");
  REQUIRE(machine.updater->reset().has_value());
  CHECK(machine.wish()->factory_reset);
}
