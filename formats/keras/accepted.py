"""Which config keys a layer class accepts, in Keras 2 and in Keras 3: one row per class.

Read off the signatures of keras 3.15.1 and tf_keras 2.21.0 (``__init__`` and
what it hands on, aliases left out). A
row is ``Class key key 3:key 2:key``; a prefix marks a key that only that major has, ``Class@3``
a class that only that major has. Keys of the Layer base class go without saying.
"""

from __future__ import annotations

from functools import cache


def words(text: str) -> frozenset[str]:
    """The words of ``text``, as a set."""
    return frozenset(text.split())


#: Keys of the base class; a few classes of Keras 3 do not hand them on.
BASE = words("name trainable dtype activity_regularizer")
_CLOSED = words("Discretization SpatialDropout1D SpatialDropout2D SpatialDropout3D")

_TABLE = """
Activation activation
ActivityRegularization l1 l2
AdaptiveAveragePooling1D@3 output_size data_format
AdaptiveAveragePooling2D@3 output_size data_format
AdaptiveAveragePooling3D@3 output_size data_format
AdaptiveMaxPooling1D@3 output_size data_format
AdaptiveMaxPooling2D@3 output_size data_format
AdaptiveMaxPooling3D@3 output_size data_format
Add
AdditiveAttention use_scale dropout 3:score_mode 3:seed
AlphaDropout rate noise_shape seed
Attention use_scale score_mode dropout 3:seed
AugMix@3 value_range num_chains chain_depth factor alpha all_ops interpolation seed data_format
  bounding_box_format
AutoContrast@3 value_range factor bounding_box_format data_format
Average
AveragePooling1D pool_size strides padding data_format
AveragePooling2D pool_size strides padding data_format
AveragePooling3D pool_size strides padding data_format
BatchNormalization axis momentum epsilon center scale beta_initializer gamma_initializer
  moving_mean_initializer moving_variance_initializer beta_regularizer gamma_regularizer
  beta_constraint gamma_constraint renorm renorm_clipping renorm_momentum synchronized 2:fused
  2:virtual_batch_size 2:adjustment
BatchNormalizationOfKeras1@1
Bidirectional layer merge_mode weights backward_layer
CategoryEncoding num_tokens output_mode sparse
CenterCrop height width 3:data_format 3:factor 3:bounding_box_format
Concatenate axis
ContrastLimitedAdaptiveHistogramEqualization@3 value_range clip_limit tile_grid_size data_format
  factor bounding_box_format
Conv1D filters kernel_size strides padding data_format dilation_rate groups activation use_bias
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint 3:lora_rank 3:lora_alpha 2:conv_op
Conv1DTranspose filters kernel_size strides padding output_padding data_format dilation_rate
  activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer
  kernel_constraint bias_constraint 2:groups 2:conv_op
Conv2D filters kernel_size strides padding data_format dilation_rate groups activation use_bias
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint 3:lora_rank 3:lora_alpha 2:conv_op
Conv2DTranspose filters kernel_size strides padding output_padding data_format dilation_rate
  activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer
  kernel_constraint bias_constraint 2:groups 2:conv_op
Conv3D filters kernel_size strides padding data_format dilation_rate groups activation use_bias
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint 3:lora_rank 3:lora_alpha 2:conv_op
Conv3DTranspose filters kernel_size strides padding data_format output_padding dilation_rate
  activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer
  kernel_constraint bias_constraint 2:groups 2:conv_op
ConvLSTM1D filters kernel_size strides padding data_format dilation_rate activation
  recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer
  unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful cell unroll 3:seed 3:zero_output_for_mask 2:time_major
ConvLSTM2D filters kernel_size strides padding data_format dilation_rate activation
  recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer
  unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful cell unroll 3:seed 3:zero_output_for_mask 2:time_major
ConvLSTM3D filters kernel_size strides padding data_format dilation_rate activation
  recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer
  unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful cell unroll 3:seed 3:zero_output_for_mask 2:time_major
Cropping1D cropping
Cropping2D cropping data_format
Cropping3D cropping data_format
CutMix@3 factor seed data_format bounding_box_format
Dense units activation use_bias kernel_initializer bias_initializer kernel_regularizer
  bias_regularizer kernel_constraint bias_constraint 3:lora_rank 3:lora_alpha
  3:quantization_config
DepthwiseConv1D kernel_size strides padding depth_multiplier data_format dilation_rate
  activation use_bias depthwise_initializer bias_initializer depthwise_regularizer
  bias_regularizer depthwise_constraint bias_constraint 2:filters 2:groups 2:kernel_initializer
  2:kernel_regularizer 2:kernel_constraint 2:conv_op
DepthwiseConv2D kernel_size strides padding depth_multiplier data_format dilation_rate
  activation use_bias depthwise_initializer bias_initializer depthwise_regularizer
  bias_regularizer depthwise_constraint bias_constraint 2:filters 2:groups 2:kernel_initializer
  2:kernel_regularizer 2:kernel_constraint 2:conv_op
Discretization bin_boundaries num_bins epsilon output_mode sparse
Dot axes normalize
Dropout rate noise_shape seed
ELU alpha
EinsumDense equation output_shape activation bias_axes kernel_initializer bias_initializer
  kernel_regularizer bias_regularizer kernel_constraint bias_constraint 3:lora_rank 3:lora_alpha
  3:gptq_unpacked_column_size 3:quantization_config
Embedding input_dim output_dim embeddings_initializer embeddings_regularizer
  embeddings_constraint mask_zero 3:weights 3:lora_rank 3:lora_alpha 3:quantization_config
  2:input_length 2:sparse
Equalization@3 value_range bins data_format factor bounding_box_format
Flatten data_format
GRU units activation recurrent_activation use_bias kernel_initializer recurrent_initializer
  bias_initializer kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful unroll reset_after cell 3:seed 3:use_cudnn zero_output_for_mask
  2:time_major
GRUCell units activation recurrent_activation use_bias kernel_initializer recurrent_initializer
  bias_initializer kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout reset_after 3:seed
GaussianDropout rate seed
GaussianNoise stddev seed
GlobalAveragePooling1D data_format keepdims
GlobalAveragePooling2D data_format keepdims
GlobalAveragePooling3D data_format keepdims
GlobalMaxPooling1D data_format keepdims
GlobalMaxPooling2D data_format keepdims
GlobalMaxPooling3D data_format keepdims
GroupNormalization groups axis epsilon center scale beta_initializer gamma_initializer
  beta_regularizer gamma_regularizer beta_constraint gamma_constraint
GroupedQueryAttention@3 head_dim num_query_heads num_key_value_heads dropout use_bias
  sliding_window flash_attention kernel_initializer bias_initializer kernel_regularizer
  bias_regularizer kernel_constraint bias_constraint use_gate seed
HashedCrossing num_bins output_mode sparse
Hashing num_bins mask_value salt output_mode sparse
Identity
InputLayer sparse ragged 3:batch_shape 3:optional 2:batch_input_shape
Highway@1
IntegerLookup max_tokens num_oov_indices mask_token oov_token vocabulary vocabulary_dtype
  idf_weights invert output_mode sparse pad_to_max_tokens 3:oov_method 3:salt
LSTM units activation recurrent_activation use_bias kernel_initializer recurrent_initializer
  bias_initializer unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer
  kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout
  return_sequences return_state go_backwards stateful unroll cell 3:seed 3:use_cudnn
  zero_output_for_mask 2:time_major
LSTMCell units activation recurrent_activation use_bias kernel_initializer recurrent_initializer
  bias_initializer unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer
  kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout 3:seed
Lambda 2:module 2:function_type 2:output_shape_type 2:output_shape_module
  function output_shape mask arguments
LayerNormalization 3:rms_scaling axis epsilon center scale beta_initializer gamma_initializer
  beta_regularizer gamma_regularizer beta_constraint gamma_constraint
LeakyReLU 3:negative_slope 2:alpha
LocallyConnected1D@2 filters kernel_size strides padding data_format activation use_bias
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint implementation
LocallyConnected2D@2 filters kernel_size strides padding data_format activation use_bias
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint implementation
Masking mask_value
MaxNumBoundingBoxes@3 max_number fill_value factor bounding_box_format data_format
MaxPooling1D pool_size strides padding data_format
MaxPooling2D pool_size strides padding data_format
MaxPooling3D pool_size strides padding data_format
Maximum
MaxoutDense@1
MelSpectrogram@3 fft_length sequence_stride sequence_length window sampling_rate num_mel_bins
  min_freq max_freq power_to_db top_db mag_exp min_power ref_power
Merge@1
Minimum
MixUp@3 alpha data_format seed factor bounding_box_format
MultiHeadAttention num_heads key_dim value_dim dropout use_bias output_shape attention_axes
  kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint
  bias_constraint 3:sliding_window 3:flash_attention 3:use_gate 3:seed 2:softmax_robust_masking
Multiply
Normalization axis mean variance invert
PReLU alpha_initializer alpha_regularizer alpha_constraint shared_axes
ParametricSoftplus@1
Permute dims
RMSNormalization@3 axis epsilon
RNN cell return_sequences return_state go_backwards stateful unroll zero_output_for_mask
  2:time_major
RandAugment@3 value_range num_ops factor interpolation seed data_format bounding_box_format
RandomBrightness factor value_range seed 3:bounding_box_format 3:data_format
RandomColorDegeneration@3 factor value_range data_format seed bounding_box_format
RandomColorJitter@3 value_range brightness_factor contrast_factor saturation_factor hue_factor
  seed data_format factor bounding_box_format
RandomContrast factor seed 3:value_range 3:bounding_box_format 3:data_format
RandomCrop height width seed 3:data_format 3:factor 3:bounding_box_format
RandomElasticTransform@3 factor scale interpolation fill_mode fill_value value_range seed
  data_format bounding_box_format
RandomErasing@3 factor scale fill_value value_range seed data_format bounding_box_format
RandomFlip mode seed 3:data_format 3:factor 3:bounding_box_format
RandomGaussianBlur@3 factor kernel_size sigma value_range data_format seed bounding_box_format
RandomGrayscale@3 factor data_format seed bounding_box_format
RandomHeight@2 factor interpolation seed
RandomHue@3 factor value_range data_format seed bounding_box_format
RandomInvert@3 factor value_range seed data_format bounding_box_format
RandomPerspective@3 factor scale interpolation fill_value seed data_format bounding_box_format
RandomPosterization@3 factor value_range data_format seed bounding_box_format
RandomRotation factor fill_mode interpolation seed fill_value 3:data_format
  3:bounding_box_format
RandomSaturation@3 factor value_range data_format seed bounding_box_format
RandomSharpness@3 factor value_range data_format seed bounding_box_format
RandomShear@3 x_factor y_factor interpolation fill_mode fill_value data_format seed factor
  bounding_box_format
RandomTranslation height_factor width_factor fill_mode interpolation seed fill_value
  3:data_format 3:factor 3:bounding_box_format
RandomWidth@2 factor interpolation seed
RandomZoom height_factor width_factor fill_mode interpolation seed fill_value 3:data_format
  3:factor 3:bounding_box_format
ReLU max_value negative_slope threshold
RepeatVector n
Rescaling scale offset
Reshape target_shape
Resizing height width interpolation crop_to_aspect_ratio 3:pad_to_aspect_ratio 3:fill_mode
  3:fill_value 3:antialias 3:data_format 3:factor 3:bounding_box_format
ReversibleEmbedding@3 input_dim output_dim tie_weights embeddings_initializer
  embeddings_regularizer embeddings_constraint mask_zero reverse_dtype logit_soft_cap weights
  lora_rank lora_alpha quantization_config
SReLU@1
STFTSpectrogram@3 mode frame_length frame_step fft_length window periodic scaling padding
  expand_dims data_format
SeparableConv1D filters kernel_size strides padding data_format dilation_rate depth_multiplier
  activation use_bias depthwise_initializer pointwise_initializer bias_initializer
  depthwise_regularizer pointwise_regularizer bias_regularizer depthwise_constraint
  pointwise_constraint bias_constraint 2:groups 2:kernel_initializer 2:kernel_regularizer
  2:kernel_constraint 2:conv_op
SeparableConv2D filters kernel_size strides padding data_format dilation_rate depth_multiplier
  activation use_bias depthwise_initializer pointwise_initializer bias_initializer
  depthwise_regularizer pointwise_regularizer bias_regularizer depthwise_constraint
  pointwise_constraint bias_constraint 2:groups 2:kernel_initializer 2:kernel_regularizer
  2:kernel_constraint 2:conv_op
SimpleRNN units activation use_bias kernel_initializer recurrent_initializer bias_initializer
  kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful unroll cell 3:seed zero_output_for_mask 2:time_major
SimpleRNNCell units activation use_bias kernel_initializer recurrent_initializer
  bias_initializer kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout 3:seed
Softmax axis 2:robust_masking
Solarization@3 addition_factor threshold_factor value_range seed factor bounding_box_format
  data_format
SpatialDropout1D rate seed 2:noise_shape
SpatialDropout2D rate data_format seed 2:noise_shape
SpatialDropout3D rate data_format seed 2:noise_shape
SpectralNormalization layer power_iterations
StackedRNNCells cells
StringLookup max_tokens num_oov_indices mask_token oov_token vocabulary idf_weights invert
  output_mode pad_to_max_tokens sparse encoding vocabulary_dtype 3:salt 3:oov_method
Subtract
TextVectorization max_tokens standardize split ngrams output_mode output_sequence_length
  pad_to_max_tokens vocabulary idf_weights sparse ragged encoding
ThresholdedReLU@2 theta
TimeDistributed layer
UnitNormalization axis
UpSampling1D size
UpSampling2D size data_format interpolation
UpSampling3D size data_format
ZeroPadding1D padding 3:data_format
ZeroPadding2D padding data_format
ZeroPadding3D padding data_format
"""


@cache
def _rows() -> dict[str, tuple[str, list[str]]]:
    rows: dict[str, tuple[str, list[str]]] = {}
    keys: list[str] = []
    for line in _TABLE.splitlines():
        words = line.split()
        if words and not line.startswith(" "):
            name, _, majors = words.pop(0).partition("@")
            keys = []
            rows[name] = (majors or "23", keys)
        keys += words
    return rows


def built_in() -> list[str]:
    """The names of all layer classes of Keras, of any major."""
    return list(_rows())


def is_built_in(class_name: str) -> bool:
    """Whether some major of Keras has a layer of this class."""
    return class_name in _rows()


def accepted(class_name: str, major: int) -> frozenset[str] | None:
    """The config keys of a layer class of Keras; None where ``major`` has no such class."""
    majors, keys = _rows().get(class_name, ("", []))
    if str(major) not in majors:
        return None
    own = {
        key.rpartition(":")[2] for key in keys if ":" not in key or key.startswith(f"{major}:")
    }
    closed = major == 3 and class_name in _CLOSED
    return frozenset(own | ({"name", "dtype"} if closed else BASE))
