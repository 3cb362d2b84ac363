import keras


def build_model(hparams):
    tokens = keras.Input([hparams['max_tokens']], dtype='int32', name='tokens')
    vectors = keras.layers.Embedding(hparams['vocab_size'], 32, mask_zero=True)(tokens)
    summary = keras.layers.Bidirectional(keras.layers.GRU(16))(vectors)
    logit = keras.layers.Dense(1)(keras.layers.Dropout(0.3)(summary))
    return keras.Model(tokens, logit)
