# Writes a C++ source that returns the text of a file: cmake -DINPUT=... -DOUTPUT=... -P embed.cmake
file(READ ${INPUT} text)
string(LENGTH "${text}" length)
set(out "// The report's Python as one string; made by the build.\n#include \"experiments/cli/report_script.h\"\n\nnamespace vp {\n\nstd::string_view report_script() {\n  static constexpr char kText[] =\n")
set(position 0)
while(position LESS length)  # pieces, since compilers limit the length of one literal
  string(SUBSTRING "${text}" ${position} 8000 piece)
  string(APPEND out "R\"__vp__(${piece})__vp__\"\n")
  math(EXPR position "${position} + 8000")
endwhile()
string(APPEND out "  ;\n  return {kText, sizeof(kText) - 1};\n}\n\n}  // namespace vp\n")
file(WRITE ${OUTPUT} "${out}")
