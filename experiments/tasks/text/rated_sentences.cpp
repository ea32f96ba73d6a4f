#include "experiments/tasks/text/rated_sentences.h"

#include <fmt/format.h>

#include <unordered_map>

#include "experiments/io/problems.h"
#include "experiments/tasks/files/csv_columns.h"
#include "experiments/tasks/text/words.h"

namespace vp {

std::vector<RatedSentence> read_rated_sentences(const CsvDocument& document) {
  const std::size_t id_column = document.column("id"), rating_column = document.column("rating"), text_column = document.column("text");
  if (document.rows.empty()) throw io_error(fmt::format("{}: there are no rows below the header; add some", document.name));
  Problems problems(document.name);
  std::unordered_map<std::string, std::int64_t> lines;  // by id
  std::vector<RatedSentence> sentences;
  for (const CsvRow& row : document.rows) {
    const std::string &id = row.fields[id_column], &rating = row.fields[rating_column], &text = row.fields[text_column];
    const auto number = parse_number(rating);
    RatedSentence sentence{.review = id.substr(0, id.find('_')), .rating = number.value_or(0), .words = split_words(text)};
    if (sentence.review.empty()) problems.add(row.line, field_fault("id", id, "names no review"));
    if (!number) problems.add(row.line, field_fault("rating", rating, number_fault(rating)));
    if (sentence.words.empty()) problems.add(row.line, field_fault("text", text, "holds no word"));
    const auto [earlier, is_new] = lines.try_emplace(id, row.line);
    if (!is_new) problems.add(row.line, fmt::format("id {} stands already on line {}", quoted_text(id), earlier->second));
    sentences.push_back(std::move(sentence));
  }
  problems.throw_if_any("Mend these rows and run again; scripts/data/sentiment.py writes a good file.");
  return sentences;
}

}  // namespace vp
