// SPDX-License-Identifier: MIT
// The table of best_fit().
#include "appliance/guard/waf/text/best_fit.h"

#include <string_view>

namespace headgate::guard::waf::text {
namespace {

// Consecutive characters from `first` on; '.' where there is none.
struct Row {
  std::uint16_t first;
  std::string_view ascii;
};

constexpr Row kRows[] = {
    {0x00a0, " !c.$Y|..Ca<.-R...23....,1o>...."},
    {0x00c0, "AAAAAAACEEEEIIIIDNOOOOO.OUUUUY..aaaaaaaceeeeiiii.nooooo.ouuuuy.y"},
    {0x0100, "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi..JjKk.LlLlLl."},
    {0x0140, ".LlNnNnNn...OoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZ.ZzZz."},
    {0x0180, "b........D.......Ff....I..l....OOo.........t..TUu.....z........."},
    {0x01c0, ".............AaIiOoUuUuUuUuUu.Aa....GgGgKkOoOo..j"},
    {0x0261, "g"},
    {0x02b9, "'\".'.......^.^.'..`._..............~"},
    {0x0300, "`.^~..........\"..................................__"},
    {0x2000, "       .........--.--...'',.\"\"\""},
    {0x2032, "'..`...<>"},
    {0x2122, "T"},
};

}  // namespace

char best_fit(std::uint16_t character) {
  if (character >= 0xff01 && character <= 0xff5e) return static_cast<char>(character - 0xfee0);
  for (const Row& row : kRows) {
    if (character < row.first || character >= row.first + row.ascii.size()) continue;
    const char ascii = row.ascii[character - row.first];
    return ascii == '.' ? '\0' : ascii;
  }
  return '\0';
}

}  // namespace headgate::guard::waf::text
