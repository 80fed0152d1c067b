// SPDX-License-Identifier: MIT
// The table of known crawlers.
//
// A domain is in it only if nobody but the operator can have a name under it:
// googleusercontent.com, say, which Google documents for fetchers that users start, is what every
// machine of its cloud is called too.
#include "schema/model/known_bots.h"

#include <fmt/format.h>

#include "schema/text.h"

namespace headgate::schema {

const std::vector<KnownBot>& known_bots() {
  static const std::vector<KnownBot> bots = {
      {"amazonbot", "Amazon", {"Amazonbot"}, {"crawl.amazonbot.amazon"}, ""},
      {"applebot", "Apple", {"Applebot"}, {"applebot.apple.com"}, ""},
      {"baiduspider", "Baidu", {"Baiduspider"}, {"baidu.com", "baidu.jp"}, ""},
      {"bingbot", "Bing", {"bingbot", "BingPreview", "adidxbot"}, {"search.msn.com"}, ""},
      {"duckduckbot", "DuckDuckGo", {"DuckDuckBot"}, {}, "https://duckduckgo.com/duckduckbot.json"},
      {"googlebot",
       "Google's common crawlers",
       {"Googlebot", "GoogleOther", "Google-InspectionTool", "Storebot-Google"},
       {"googlebot.com", "google.com"},
       ""},
      {"gptbot", "OpenAI", {"GPTBot"}, {}, "https://openai.com/gptbot.json"},
      {"petalbot", "Petal Search", {"PetalBot"}, {"petalsearch.com"}, ""},
      {"seznambot", "Seznam", {"SeznamBot"}, {"seznam.cz"}, ""},
      {"yandexbot",
       "Yandex",
       {"YandexBot", "YandexImages", "YandexMobileBot"},
       {"yandex.com", "yandex.net", "yandex.ru"},
       ""},
  };
  return bots;
}

const KnownBot* find_known_bot(const std::string& name) {
  for (const KnownBot& bot : known_bots())
    if (bot.name == name) return &bot;
  return nullptr;
}

std::vector<std::string> known_bot_names() {
  std::vector<std::string> names;
  for (const KnownBot& bot : known_bots()) names.push_back(bot.name);
  return names;
}

std::string known_bots_markdown() {
  std::string out =
      "| name | who | User-Agent has | its addresses' names end in |\n|---|---|---|---|\n";
  for (const KnownBot& bot : known_bots())
    out +=
        fmt::format("| `{}` | {} | {} | {} |\n", bot.name, bot.title, join(bot.user_agent),
                    bot.domains.empty() ? "add the `ranges` of " + bot.ranges : join(bot.domains));
  return out;
}

}  // namespace headgate::schema
