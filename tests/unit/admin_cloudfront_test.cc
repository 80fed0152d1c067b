// SPDX-License-Identifier: MIT
// CloudFront's invalidation API without a network: what is read, what is said.
#include <doctest/doctest.h>

#include "appliance/admin/cloudfront/invalidation.h"
#include "appliance/admin/cloudfront/xml.h"

using namespace headgate;
using namespace headgate::admin;

namespace {

constexpr const char* kCollection = "/2020-05-31/distribution/shop/invalidation";

std::string batch(const std::string& paths, const std::string& reference, int quantity) {
  return fmt::format(
      "<?xml version=\"1.0\"?><!-- a comment -->\n<InvalidationBatch xmlns=\"x\"><Paths>"
      "<Quantity>{}</Quantity><Items>{}</Items></Paths>"
      "<CallerReference>{}</CallerReference></InvalidationBatch>\n",
      quantity, paths, reference);
}

/// Remembers what it was asked for.
struct Ledger {
  std::vector<schema::Invalidation> asked;
  PurgeReply reply;
  Purging purging() {
    return {
        .purge =
            [this](const schema::Invalidation& invalidation) {
              asked.push_back(invalidation);
              reply.view = InvalidationView{.id = invalidation.id(),
                                            .distribution = invalidation.distribution,
                                            .paths = invalidation.select.paths,
                                            .state = "Active",
                                            .created = Timestamp(),
                                            .json = "{}"};
              return reply;
            },
        .list =
            [](const std::string& distribution) -> std::optional<std::vector<InvalidationView>> {
          if (distribution != "shop") return std::nullopt;
          std::vector<InvalidationView> views;
          for (const char* id : {"c/3", "b", "a"})
            views.push_back({.id = id,
                             .distribution = "shop",
                             .paths = {"/x&y"},
                             .state = id[0] == 'b' ? "Pending" : "Swept",
                             .created = Timestamp(),
                             .json = "{}"});
          return views;
        }};
  }
};

Answer call(Ledger& ledger, const std::string& method, const std::string& path,
            const std::string& body = "", std::multimap<std::string, std::string> query = {}) {
  return cloudfront::answer({method, path, std::move(query), {}, body}, ledger.purging());
}

std::string code_of(const Answer& answer) {
  const auto root = parse_xml(answer.body);
  REQUIRE(root.has_value());
  REQUIRE(root->find("Error") != nullptr);
  return root->find("Error")->find("Code")->text;
}

}  // namespace

TEST_CASE("XML: elements, references, attributes and comments are read") {
  const auto root = parse_xml(
      "\xEF\xBB\xBF<?xml version='1.0'?> <a:b x='<' y = \"&gt;\"><c/>t&lt;&amp;&#65;&#x20AC;<!-- < "
      "-->"
      "<c>2</c  ></a:b> <!-- -->\n");
  REQUIRE(root.has_value());
  CHECK(root->name == "b");
  CHECK(root->text == "t<&A\xE2\x82\xAC");
  REQUIRE(root->children.size() == 2);
  CHECK(root->children[1].text == "2");
  CHECK(root->find("c") == &root->children[0]);
  CHECK(root->find("d") == nullptr);
}

TEST_CASE("XML: what is broken, dangerous or too much is refused") {
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "<a>";
  std::string many = "<a>";
  for (int i = 0; i < 10'000; ++i) many += "<b/>";
  for (const std::string& wrong :
       std::vector<std::string>{"",
                                "text",
                                "<a>",
                                "<a></b>",
                                "<a",
                                "<a b>",
                                "<a b=c/>",
                                "<a b='>",
                                "<a/><b/>",
                                "<a/>x",
                                "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
                                "<a>&x;</a>",
                                "<a>&#0;</a>",
                                "<a>&#xD800;</a>",
                                "<a>&#99999999999;</a>",
                                "<a>&amp</a>",
                                "<a><![CDATA[x]]></a>",
                                "<a><!-- </a>",
                                "< a/>",
                                "<?xml",
                                "</a>",
                                deep,
                                many + "</a>"})
    CHECK_FALSE_MESSAGE(parse_xml(wrong).has_value(), wrong.substr(0, 80));
}

TEST_CASE("XML: what is written reads back") {
  CHECK(escape_xml("a<b>&\"c\x01") == "a&lt;b&gt;&amp;\"c\xEF\xBF\xBD");
  CHECK(parse_xml("<a>" + escape_xml("x<&>]]>") + "</a>")->text == "x<&>]]>");
}

TEST_CASE("a batch becomes an invalidation whose id is the caller's reference") {
  Ledger ledger;
  ledger.reply.outcome = PurgeReply::Outcome::Created;
  const Answer answer =
      call(ledger, "POST", kCollection,
           batch("<Path>/a&amp;b*</Path><Path>#Tag</Path><Path>c</Path>", "r/1 x", 3));
  REQUIRE(answer.status == 201);
  REQUIRE(ledger.asked.size() == 1);
  CHECK(ledger.asked[0].id() == "r/1 x");
  CHECK(ledger.asked[0].distribution == "shop");
  CHECK(ledger.asked[0].select.paths == std::vector<std::string>{"/a&b*", "/c"});
  CHECK(ledger.asked[0].select.tags == std::vector<std::string>{"tag"});
  CHECK(ledger.asked[0].mode == schema::Invalidation::Mode::Revalidate);
  CHECK(answer.headers[0].second == std::string(kCollection) + "/r%2F1%20x");
  const auto root = parse_xml(answer.body);
  REQUIRE(root.has_value());
  CHECK(root->find("Status")->text == "Completed");
  CHECK(root->find("CreateTime")->text == "1970-01-01T00:00:00Z");
  CHECK(root->find("InvalidationBatch")->find("Paths")->find("Quantity")->text == "2");
}

TEST_CASE("each outcome has CloudFront's status and code") {
  using Outcome = PurgeReply::Outcome;
  const std::string body = batch("<Path>/a</Path>", "r", 1);
  for (const auto& [outcome, status, code] : std::vector<std::tuple<Outcome, int, std::string>>{
           {Outcome::Known, 201, ""},
           {Outcome::Mismatch, 409, "InvalidationBatchAlreadyExists"},
           {Outcome::NoDistribution, 404, "NoSuchDistribution"},
           {Outcome::TooMany, 429, "TooManyInvalidationsInProgress"},
           {Outcome::Refused, 400, "InvalidArgument"},
           {Outcome::Unavailable, 503, "ServiceUnavailable"}}) {
    Ledger ledger;
    ledger.reply.outcome = outcome;
    const Answer answer = call(ledger, "POST", kCollection, body);
    CHECK(answer.status == status);
    if (!code.empty()) CHECK(code_of(answer) == code);
  }
}

TEST_CASE("a batch that is not one reaches no ledger") {
  std::string many;
  for (int i = 0; i < 3001; ++i) many += "<Path>/a</Path>";
  for (const auto& [body, status, code] : std::vector<std::tuple<std::string, int, std::string>>{
           {"", 400, "MissingBody"},
           {"<a", 400, "InvalidArgument"},
           {"<Other/>", 400, "InvalidArgument"},
           {"<InvalidationBatch/>", 400, "InvalidArgument"},
           {batch("<Path>/a</Path>", "r", 2), 400, "InconsistentQuantities"},
           {batch("", "r", 0), 400, "InvalidArgument"},
           {batch("<Path>/a b</Path>", "r", 1), 400, "InvalidArgument"},
           {batch("<Path></Path>", "r", 1), 400, "InvalidArgument"},
           {batch("<Path>#</Path>", "r", 1), 400, "InvalidArgument"},
           {batch("<Path>/a</Path>", "", 1), 400, "InvalidArgument"},
           {batch("<Path>/a</Path>", std::string(129, 'r'), 1), 400, "InvalidArgument"},
           {batch("<Path>/a</Path>", "a&#10;b", 1), 400, "InvalidArgument"},
           {batch(many, "r", 3001), 413, "BatchTooLarge"}}) {
    Ledger ledger;
    const std::string shown = body.substr(0, 100);
    const Answer answer = call(ledger, "POST", kCollection, body);
    CHECK(answer.status == status);
    CHECK_MESSAGE(code_of(answer) == code, shown);
    CHECK(ledger.asked.empty());
  }
}

TEST_CASE("lists come in pages, and single ones by id") {
  Ledger ledger;
  const Answer first = call(ledger, "GET", kCollection, "", {{"MaxItems", "2"}});
  const auto root = parse_xml(first.body);
  REQUIRE(root.has_value());
  CHECK(root->find("Quantity")->text == "2");
  CHECK(root->find("IsTruncated")->text == "true");
  CHECK(root->find("NextMarker")->text == "b");
  CHECK(root->find("Items")->children[0].find("Id")->text == "c/3");
  CHECK(root->find("Items")->children[1].find("Status")->text == "InProgress");
  const auto rest = parse_xml(call(ledger, "GET", kCollection, "", {{"Marker", "b"}}).body);
  CHECK(rest->find("IsTruncated")->text == "false");
  CHECK(rest->find("NextMarker") == nullptr);
  CHECK(rest->find("Items")->children[0].find("Id")->text == "a");
  const std::string collection = kCollection;
  const auto one = parse_xml(call(ledger, "GET", collection + "/c/3").body);
  CHECK(one->find("InvalidationBatch")->find("Paths")->find("Items")->children[0].text == "/x&y");
  CHECK(code_of(call(ledger, "GET", collection + "/d")) == "NoSuchInvalidation");
  CHECK(code_of(call(ledger, "GET", collection, "", {{"Marker", "d"}})) == "InvalidArgument");
  CHECK(code_of(call(ledger, "GET", collection, "", {{"MaxItems", "x"}})) == "InvalidArgument");
  CHECK(code_of(call(ledger, "GET", "/2020-05-31/distribution/blog/invalidation")) ==
        "NoSuchDistribution");
}

TEST_CASE("other paths are not found, and an invalidation cannot be posted to") {
  Ledger ledger;
  for (const char* path :
       {"/2020-05-31/distribution/", "/2020-05-31/distribution/shop",
        "/2020-05-31/distribution//invalidation", "/2020-05-31/distribution/shop/invalidations",
        "/2020-05-31/distribution/shop/invalidation/"})
    CHECK_MESSAGE(call(ledger, "GET", path).status == 404, path);
  CHECK(call(ledger, "POST", std::string(kCollection) + "/a").status == 405);
}
