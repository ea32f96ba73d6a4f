#include "experiments/cli/command_line.h"

int main(int argc, char** argv) { return vp::run_command_line(argc, argv); }
