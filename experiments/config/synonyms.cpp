#include "experiments/config/synonyms.h"

#include <algorithm>
#include <array>
#include <string>

namespace vp {
namespace {

constexpr std::array kSynonyms = {
    KeySynonyms{"lr eta alpha step_size learningrate", "train.learning_rate", ""},
    KeySynonyms{"epochs epoch n_epochs num_epochs max_epochs nb_epoch", "train.updates",
                "it counts updates: an epoch has as many as there are training samples in batches of train.batch"},
    KeySynonyms{"n_steps num_steps max_steps train_steps training_steps iterations n_iterations num_iterations max_iterations iters n_iter "
                "max_iter num_updates",
                "train.updates", ""},
    KeySynonyms{"batch_size batchsize bs minibatch mini_batch minibatch_size", "train.batch", ""},
    KeySynonyms{"optimiser optim solver", "train.optimizer", ""},
    KeySynonyms{"random_seed random_state manual_seed rng_seed rng", "train.seed", ""},
    KeySynonyms{"mu momentum_coefficient", "train.momentum", ""},
    KeySynonyms{"rho smoothing decay_rate", "train.decay", ""},
    KeySynonyms{"eps", "train.epsilon", ""},
    KeySynonyms{"beta_1", "train.beta1", ""},
    KeySynonyms{"beta_2", "train.beta2", ""},
    KeySynonyms{
        "grad_clip gradient_clip clip_grad clip_gradient clip clipping clipnorm max_norm max_grad_norm clip_grad_norm gradient_clipping",
        "train.clip_norm", "train.clip_value cuts each element"},
    KeySynonyms{"clipvalue clip_grad_value", "train.clip_value", ""},
    KeySynonyms{"eval_every eval_interval eval_steps validate_every evaluation_interval log_every log_interval", "train.evaluate_every",
                ""},
    KeySynonyms{"early_stopping stop_accuracy target_accuracy stop_when", "train.stop_at", ""},
    KeySynonyms{"save save_model checkpoint checkpoints", "train.save_checkpoint", ""},
    KeySynonyms{"weight_decay l2 l1 l2_penalty regularization regularizer kernel_regularizer", "",
                "weights are neither decayed nor penalised"},
    KeySynonyms{"scheduler lr_scheduler lr_decay learning_rate_decay warmup warmup_steps", "", "the learning rate is constant"},
    KeySynonyms{"hidden_size hidden_dim hidden_units hidden_width n_hidden num_hidden nhid units num_units n_units rnn_size cell_size",
                "model.hidden", ""},
    KeySynonyms{"hidden_sizes layer_sizes hidden_layers hidden_layer_sizes sizes", "model.widths", ""},
    KeySynonyms{"num_layers n_layers nlayers depth number_of_layers", "model.layers", ""},
    KeySynonyms{"cell_type rnn_type rnn_cell unit_type", "model.cell", ""},
    KeySynonyms{"type model_type architecture arch network", "model.kind", ""},
    KeySynonyms{"nonlinearity non_linearity activation_function act transfer_function", "model.activation", ""},
    KeySynonyms{"recurrent_activation", "model.gate_activation", ""},
    KeySynonyms{"embedding_dim embedding_size embed_dim emb_size emsize", "model.embedding", ""},
    KeySynonyms{"dropout_rate drop_rate keep_prob p_dropout", "model.dropout", "of the kinds mlp and cnn; it is the share that is dropped"},
    KeySynonyms{"bidir birnn", "model.bidirectional", ""},
    KeySynonyms{"layernorm layer_normalization", "model.layer_norm", ""},
    KeySynonyms{"kernel_size filter_size", "model.kernel", ""},
    KeySynonyms{"filters out_channels", "model.channels", ""},
    KeySynonyms{"reset_after", "model.reset", ""},
    KeySynonyms{"return_sequences many_to_many", "model.form", ""},
    KeySynonyms{"initializer initialiser initialization initialisation kernel_initializer init_method weight_init", "init.scheme", ""},
    KeySynonyms{"recurrent_initializer", "init.recurrent.scheme", ""},
    KeySynonyms{"forget_bias unit_forget_bias forget_gate_bias", "init.bias.forget_gate", ""},
    KeySynonyms{"spectral_norm radius", "init.recurrent.spectral_radius", ""},
    KeySynonyms{"seq_len seq_length seqlen sequence_length time_steps timesteps n_timesteps", "task.length", ""},
    KeySynonyms{"dataset data task problem", "task.name", ""},
    KeySynonyms{"data_path data_dir data_file filename file datafile", "task.path", ""},
    KeySynonyms{"val_split validation_split val_share val_size", "task.validation_share", ""},
    KeySynonyms{"test_split test_size", "task.test_share", ""},
    KeySynonyms{"dtype float_type", "run.precision", ""},
    KeySynonyms{"engine library", "run.backend", ""},
    KeySynonyms{"threads num_threads n_threads num_workers n_jobs workers", "", "threads are no setting of a run: --threads N"},
    KeySynonyms{"device gpu cuda", "", "everything runs on the processor"},
};

// batchSize and batch-size are batch_size.
std::string normal_form(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !text.empty() && text.back() >= 'a' && text.back() <= 'z') text += '_';
    text += c == '-' ? '_' : upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

}  // namespace

std::span<const KeySynonyms> key_synonyms() { return kSynonyms; }

const KeySynonyms* find_synonym(std::string_view name) {
  const std::string word = ' ' + normal_form(name) + ' ';
  if (word.find(' ', 1) + 1 != word.size()) return nullptr;  // has a blank of its own
  const auto found = std::ranges::find_if(
      kSynonyms, [&](const KeySynonyms& s) { return (' ' + std::string(s.names) + ' ').find(word) != std::string::npos; });
  return found == kSynonyms.end() ? nullptr : &*found;
}

}  // namespace vp
