import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.tfxio.dataset_options import TensorFlowDatasetOptions

MAX_WORDS, VOCAB_SIZE = 200, 5_000


def preprocessing_fn(inputs):
    words = tf.strings.split(tf.strings.lower(inputs['text']))
    ids = tft.compute_and_apply_vocabulary(words, top_k=VOCAB_SIZE, num_oov_buckets=1)
    count = tf.cast(words.row_lengths(), tf.float32)
    return {
        'ids': (ids + 1).to_tensor(shape=[None, MAX_WORDS]),
        'count': tft.scale_to_z_score(count),
        'label': inputs['label'],
    }


def run_fn(fn_args):
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    options = TensorFlowDatasetOptions(batch_size=64, label_key='label')
    make_dataset, schema = (
        fn_args.data_accessor.tf_dataset_factory,
        graph.transformed_metadata.schema,
    )
    train = make_dataset(fn_args.train_files, options, schema).repeat()
    val = make_dataset(fn_args.eval_files, options, schema).repeat()

    ids, count = keras.Input([MAX_WORDS], name='ids'), keras.Input([1], name='count')
    vectors = keras.layers.Embedding(VOCAB_SIZE + 2, 16)(ids)
    both = [keras.layers.GlobalAveragePooling1D()(vectors), count]
    logit = keras.layers.Dense(1)(keras.layers.Concatenate()(both))
    model = keras.Model({'ids': ids, 'count': count}, logit)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    steps = {'steps_per_epoch': fn_args.train_steps, 'validation_steps': fn_args.eval_steps}
    model.fit(train, validation_data=val, verbose=0, **steps)

    model.transform = graph.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='examples')])
    def serve(examples):
        spec = {name: each for name, each in graph.raw_feature_spec().items() if name != 'label'}
        features = model.transform(tf.io.parse_example(examples, spec))
        return {'logit': model({'ids': features['ids'], 'count': features['count'][:, None]})}

    tf.saved_model.save(model, fn_args.serving_model_dir, {'serving_default': serve})
